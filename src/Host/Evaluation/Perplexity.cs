using System.Text;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation.Scoring;

namespace RepNoise.Host.Evaluation;

/// <summary>
/// Perplexity of texts of any length by rolling windows, as lm-evaluation-harness (0.4, <c>loglikelihood_rolling</c>) takes it. Every
/// token of a text is scored exactly once, the first after bos (else eos), which is not scored itself and stands before the text
/// only. Windows of W tokens are scored one after another, each with one token before it as context; the last, shorter, window
/// has as much of the text before it as fits into W.
/// <code>
/// token = exp(-sum / tokens)   word = exp(-sum / words)   byte = exp(-sum / bytes)   bits per byte = -sum / bytes / ln 2
/// </code>
/// Words are what white space parts (Python's <c>re.split(r"\s+", text)</c>: white space at an end makes one more), bytes those of
/// UTF-8.
/// </summary>
public static class Perplexity
{
    /// <summary>Runs a file of texts, one after another: memory is bounded by the longest text and one window.</summary>
    /// <param name="model">The model.</param>
    /// <param name="data">A file that the readers of examples understand.</param>
    /// <param name="texts">Its texts with their places.</param>
    /// <param name="window">W in tokens; null takes the model's positions.</param>
    /// <param name="progress">Told the number of windows, or null.</param>
    /// <param name="stop">Ends it with an exception.</param>
    public static PerplexityResult Of(
        LoadedModel model, string data, IEnumerable<(string Text, string Place)> texts, int? window = null, Action<int>? progress = null,
        CancellationToken stop = default)
    {
        int size = Math.Min(window ?? model.MaxTokens, model.MaxTokens), windows = 0;
        long count = 0, tokens = 0, words = 0, bytes = 0;
        double sum = 0;
        using var scorer = new SequenceScorer(model.Parameters, size + 1);
        foreach (float[] values in scorer.Score(Windows(), stop))
        {
            foreach (float value in values) sum += value;
            progress?.Invoke(++windows);
        }

        if (tokens == 0)
            throw new InputException(data, "no text in it has a token", "texts that are not empty", "check the field that holds the texts");
        return new PerplexityResult
        {
            Data = data,
            Texts = count,
            Tokens = tokens,
            Words = words,
            Bytes = bytes,
            Window = size,
            LogProbability = sum,
            TokenPerplexity = Math.Exp(-sum / tokens),
            WordPerplexity = Math.Exp(-sum / words),
            BytePerplexity = Math.Exp(-sum / bytes),
            BitsPerByte = -sum / bytes / Math.Log(2),
        };

        IEnumerable<TokenSequence> Windows()
        {
            foreach (var (text, place) in texts)
            {
                int[] ids = model.Encode(text, place, special: false);
                (count, tokens, bytes) = (count + 1, tokens + ids.Length, bytes + Encoding.UTF8.GetByteCount(text));
                words += WordCount(text);
                foreach (var sequence in RollingWindows.Of(ids, model.PrefixId, size)) yield return sequence;
            }
        }
    }

    /// <summary>The texts of a file, read as they are asked for.</summary>
    public static IEnumerable<(string Text, string Place)> Texts(string path, ExampleOptions options) =>
        ExampleReader.Stream(path, options).Select(example => (example.Text, example.Place));

    internal static long WordCount(string text)
    {
        long words = 1;
        bool space = false;
        foreach (char c in text)
        {
            bool isSpace = char.IsWhiteSpace(c);
            if (isSpace && !space) words++;
            space = isSpace;
        }

        return words;
    }
}
