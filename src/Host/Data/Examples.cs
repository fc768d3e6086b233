namespace RepNoise.Host.Data;

/// <summary>A harmful and a harmless text that share a prompt: one row of the defence's data, before tokenisation.</summary>
/// <param name="Harmful">Prompt and harmful answer, joined as text.</param>
/// <param name="Harmless">Prompt and harmless answer (a refusal), joined as text.</param>
/// <param name="Prompt">The prompt as it opens both texts.</param>
/// <param name="Place">File and line, for messages.</param>
public sealed record TextPair(string Harmful, string Harmless, string Prompt, string Place);

/// <summary>A tokenised pair.</summary>
/// <param name="Harmful">Ids of the harmful text with special tokens, truncated to max_length; no padding.</param>
/// <param name="Harmless">Ids of the harmless text, likewise.</param>
/// <param name="Index">The pair's index in the data as read (skipped pairs count), the key of its noise.</param>
/// <param name="Place">File and line, for messages.</param>
public sealed record TokenPair(int[] Harmful, int[] Harmless, int Index, string Place);

/// <summary>A text for plain fine-tuning, before tokenisation.</summary>
/// <param name="Text">Prompt and answer, joined.</param>
/// <param name="PromptLength">Number of leading characters that are the prompt; 0 where the whole text is the answer.</param>
/// <param name="Place">File and line, for messages.</param>
public sealed record TextExample(string Text, int PromptLength, string Place);

/// <summary>A tokenised text for plain fine-tuning or for the retain term.</summary>
/// <param name="Ids">Ids with special tokens, truncated to max_length; no padding.</param>
/// <param name="AnswerStart">Index of the first token that belongs to the answer (a target under answer-only loss).</param>
/// <param name="Index">The example's index in the data as read.</param>
/// <param name="Place">File and line, for messages.</param>
public sealed record TokenExample(int[] Ids, int AnswerStart, int Index, string Place);
