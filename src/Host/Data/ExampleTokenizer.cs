namespace RepNoise.Host.Data;

/// <summary>
/// Turns texts into ids and finds where the answer begins: the prompt is tokenised once more alone, and the ids that
/// both begin with are the prompt's. Prompt and answer are one text to the tokenizer, so a token may reach across their border; it is
/// the first that differs and belongs to the answer, since it holds some of it. A closing special token after the lone prompt falls away
/// likewise.
/// </summary>
public static class ExampleTokenizer
{
    /// <summary>Tokenises every example and skips those without a target.</summary>
    /// <exception cref="DataException">An id is outside the vocabulary, no example is left, or <c>strict</c> and one cannot be
    /// used.</exception>
    public static (IReadOnlyList<TokenExample> Examples, TokenizeSummary Summary) Tokenize(
        IReadOnlyList<TextExample> texts, Encoder encoder, TokenizeOptions options)
    {
        var rows = new TokenizedRows<TokenExample>(options);
        for (int i = 0; i < texts.Count; i++)
        {
            var text = texts[i];
            int[] ids = rows.Encode(encoder, text.Text, text.Place, out bool cut);
            if (options.EosId is { } eos && !cut && ids.Length is > 0 && ids.Length < options.MaxLength)
                ids = [.. ids, eos];
            int answer = text.PromptLength == 0 ? 0 : ids.AsSpan().CommonPrefixLength(encoder(text.Text[..text.PromptLength]));
            // Nothing predicts the first token.
            int firstTarget = options.CompletionOnly ? Math.Max(1, answer) : 1;
            if (ids.Length == 0)
                rows.SkipEmpty(text.Place);
            else if (firstTarget >= ids.Length)
                rows.SkipNoTarget(text.Place, firstTarget > 1 ? "no token of the answer is within max_length" : "the text is a single token");
            else
                rows.Keep(new TokenExample(ids, answer, i, text.Place), ids.Length, cut);
        }
        return rows.Finish(texts.Count > 0 ? texts[0].Place : "data");
    }
}
