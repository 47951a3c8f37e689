//! A generated answer: one of the choices of an OpenAI completion.

/// Nodes of the document that make up one choice; none of the strings is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `index`.
    pub index: u64,
    /// Its place in the array `choices`, for paths.
    pub place: u32,
    /// Whether it comes from a chat: then it has a `message`, otherwise a `text`.
    pub is_chat: bool,
    /// The strings that follow each other in `message.content`, or `text`.
    pub content: Vec<u32>,
    /// What it refuses with: the string `message.refusal` and those of parts of the content, all that they say once.
    pub refusal: Vec<u32>,
    /// What the model thought before it answered: strings that follow each other, all that they say once, and the member of `message` where the first of them is.
    pub reasoning: Vec<u32>,
    /// See [`Choice::reasoning`].
    pub reasoning_name: &'static str,
    /// Whether it thought at all, in whatever form that is told.
    pub has_thought: bool,
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
    /// What it is called with: a string, or the object that such a string would hold.
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
    /// `tool_calls[j]` with neither of them: its `type` is all that is read.
    Other,
}
