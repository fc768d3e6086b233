using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Support;

/// <summary>Texts of random ids and uneven lengths, for models without a tokenizer.</summary>
internal static class TinyTexts
{
    /// <summary>Pairs that share a prompt of 1 to 4 tokens; the lengths differ.</summary>
    public static IReadOnlyList<TokenPair> Pairs(ModelConfig config, int count)
    {
        var random = new PhiloxSequence(11, PhiloxPurpose.Sampling, 0);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            int[] prompt = Ids(config, 1 + i % 4, ref random);
            return new TokenPair([.. prompt, .. Ids(config, 3 + i % 3, ref random)], [.. prompt, .. Ids(config, 2 + i % 5, ref random)], i, $"pair {i}");
        })];
    }

    /// <summary>Texts of 3 to 7 tokens whose first two are the prompt.</summary>
    public static IReadOnlyList<TokenExample> Examples(ModelConfig config, int count)
    {
        var random = new PhiloxSequence(12, PhiloxPurpose.Sampling, 0);
        return [.. Enumerable.Range(0, count).Select(i => new TokenExample(Ids(config, 3 + i % 5, ref random), 2, i, $"text {i}"))];
    }

    private static int[] Ids(ModelConfig config, int count, ref PhiloxSequence random)
    {
        var ids = new int[count];
        for (int i = 0; i < count; i++) ids[i] = 1 + (int)(random.NextDouble() * (config.VocabSize - 1));
        return ids;
    }
}
