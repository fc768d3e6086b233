using RepNoise.Host.Model;

namespace RepNoise.Host.Tests.Model;

public sealed class TokenSamplerTests
{
    private static readonly float[] Logits = [0.5f, 2, -1, 2, 0];

    [Fact]
    public void Greedy_takes_the_first_of_equal_logits()
    {
        var sampler = new TokenSampler(new SamplingOptions(), 5);
        var random = sampler.Stream(0);
        Assert.Equal(1, sampler.Choose(Logits, ref random));
    }

    [Fact]
    public void Top_k_keeps_the_k_most_likely_tokens() =>
        Assert.Equal([1, 3], Counts(new SamplingOptions { Temperature = 1, TopK = 2 }, 400).Keys.Order());

    [Fact]
    public void Top_p_keeps_the_smallest_set_that_reaches_p()
    {
        // Probabilities: 1 and 3 have 0.406 each, 0 has 0.091, 4 has 0.055, 2 has 0.020.
        Assert.Equal([1, 3], Counts(new SamplingOptions { Temperature = 1, TopP = 0.8 }, 400).Keys.Order());
        Assert.Equal([0, 1, 3], Counts(new SamplingOptions { Temperature = 1, TopP = 0.85 }, 600).Keys.Order());
        Assert.Equal([1], Counts(new SamplingOptions { Temperature = 1, TopP = 0.01 }, 50).Keys);
    }

    [Fact]
    public void A_repetition_penalty_makes_what_was_seen_less_likely()
    {
        float[] logits = [.. Logits];
        new TokenSampler(new SamplingOptions { RepetitionPenalty = 2 }, 5).Penalize(logits, [1, 2]);
        Assert.Equal([0.5f, 1, -2, 2, 0], logits);
    }

    [Fact]
    public void Samples_follow_the_softmax_of_the_tempered_logits()
    {
        const int draws = 40_000;
        var counts = Counts(new SamplingOptions { Temperature = 0.7, Seed = 9 }, draws);
        double[] weights = [.. Logits.Select(z => Math.Exp(z / 0.7))];
        for (int i = 0; i < Logits.Length; i++)
        {
            double p = weights[i] / weights.Sum(), sigma = Math.Sqrt(p * (1 - p) / draws);
            Assert.InRange(counts.GetValueOrDefault(i) / (double)draws, p - 5 * sigma, p + 5 * sigma);
        }
    }

    [Fact]
    public void Streams_repeat_by_seed_and_differ_by_sequence()
    {
        int[] a = Draw(new SamplingOptions { Temperature = 2, Seed = 3 }, 0), b = Draw(new SamplingOptions { Temperature = 2, Seed = 3 }, 1);
        Assert.Equal(a, Draw(new SamplingOptions { Temperature = 2, Seed = 3 }, 0));
        Assert.NotEqual(a, b);
        Assert.NotEqual(a, Draw(new SamplingOptions { Temperature = 2, Seed = 4 }, 0));
    }

    private static int[] Draw(SamplingOptions options, int sequence)
    {
        var sampler = new TokenSampler(options, Logits.Length);
        var random = sampler.Stream(sequence);
        var drawn = new int[50];
        for (int i = 0; i < drawn.Length; i++) drawn[i] = sampler.Choose(Logits, ref random);
        return drawn;
    }

    private static Dictionary<int, int> Counts(SamplingOptions options, int draws)
    {
        var sampler = new TokenSampler(options, Logits.Length);
        var random = sampler.Stream(0);
        var counts = new Dictionary<int, int>();
        for (int i = 0; i < draws; i++)
        {
            int id = sampler.Choose(Logits, ref random);
            counts[id] = counts.GetValueOrDefault(id) + 1;
        }

        return counts;
    }
}
