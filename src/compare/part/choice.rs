//! A generated answer: one of the choices of an OpenAI completion.

/// Nodes of the document that make up one choice; none of the strings is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `index`.
    pub index: u64,
    /// Its place in the array `choices`, for paths.
    pub place: u32,
    /// Whether it comes from a chat: then it has a `message`, otherwise a `text`.
    pub is_chat: bool,
    /// The strings that follow each other in `message.content`, or `text`.
    pub content: Vec<u32>,
    /// The string `message.refusal`.
    pub refusal: Option<u32>,
    /// The string `finish_reason`.
    pub finish: Option<u32>,
    /// Tool calls, in order.
    pub tools: Vec<Tool>,
}

/// A tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// How it is written.
    pub kind: ToolKind,
    /// The string that names the tool.
    pub name: Option<u32>,
    /// The string that it is called with.
    pub arguments: Option<u32>,
}

/// How tool calls are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// `tool_calls[j].function`, with `name` and `arguments`.
    Function,
    /// `tool_calls[j].custom`, with `name` and `input`.
    Custom,
    /// `function_call`: how functions were called before there were tools.
    Legacy,
}
