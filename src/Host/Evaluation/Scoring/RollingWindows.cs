namespace RepNoise.Host.Evaluation.Scoring;

/// <summary>Cuts a text into windows in which every token is scored once; see <see cref="Perplexity"/>.</summary>
public static class RollingWindows
{
    /// <param name="ids">The text's tokens, T.</param>
    /// <param name="prefix">Token before the first.</param>
    /// <param name="size">W: inputs of a window.</param>
    public static IEnumerable<TokenSequence> Of(int[] ids, int prefix, int size)
    {
        for (int done = 0; done < ids.Length;)
        {
            int end = Math.Min(ids.Length, done + size);
            // The inputs of this window are the W tokens before its last target; the prefix stands before the text.
            int start = Math.Max(-1, end - size - 1);
            int[] window = start < 0 ? [prefix, .. ids[..end]] : ids[start..end];
            yield return new TokenSequence(window, done - start);
            done = end;
        }
    }
}
