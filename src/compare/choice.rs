//! A generated answer: one of the choices of an OpenAI completion.

/// Nodes of the document that make up one choice; `None` where there is no such member, or it is `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `index`.
    pub index: u64,
    /// Its place in the array `choices`, for paths.
    pub place: u32,
    /// The string `message.content`, or `text`.
    pub content: Option<u32>,
    /// The string `message.refusal`, not empty.
    pub refusal: Option<u32>,
    /// The string `finish_reason`.
    pub finish: Option<u32>,
    /// Name and arguments of each tool call, in order: strings.
    pub tools: Vec<(u32, u32)>,
    /// Whether it is one of a chat, with a `message`.
    pub is_chat: bool,
}
