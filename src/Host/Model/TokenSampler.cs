using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>How the next token is chosen.</summary>
public sealed record SamplingOptions
{
    /// <summary>0 takes the most likely token (greedy); otherwise logits are divided by it.</summary>
    public double Temperature { get; init; }

    /// <summary>Keeps the k most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the smallest set of likely tokens whose probabilities reach p; 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Makes tokens that the prompt or the text holds less likely: their logits are divided by it, negative ones multiplied; 1 is none.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    public ulong Seed { get; init; } = 42;
}

/// <summary>
/// Chooses tokens from logits, in the order of transformers' logits processors: repetition penalty, temperature, top-k, top-p. Each sequence draws
/// from a random stream of its own, so a text does not depend on what is generated beside it.
/// </summary>
public sealed class TokenSampler
{
    private readonly SamplingOptions options;
    private readonly int[] order;
    private readonly double[] probabilities;
    private readonly float[] keys;

    public TokenSampler(SamplingOptions options, int vocabulary)
    {
        this.options = options;
        order = new int[vocabulary];
        keys = new float[vocabulary];
        probabilities = new double[vocabulary];
    }

    /// <summary>A sequence's random stream.</summary>
    public PhiloxSequence Stream(int sequence) => new(options.Seed, PhiloxPurpose.Sampling, (ulong)sequence);

    /// <summary>Applies <see cref="SamplingOptions.RepetitionPenalty"/>, in place.</summary>
    /// <param name="logits">(V).</param>
    /// <param name="seen">Ids of the prompt and of the text so far, each once.</param>
    public void Penalize(Span<float> logits, IReadOnlyCollection<int> seen)
    {
        if (options.RepetitionPenalty == 1) return;
        float penalty = (float)options.RepetitionPenalty;
        foreach (int id in seen) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
    }

    /// <summary>The next token. Equal logits are taken in order of their ids.</summary>
    /// <param name="logits">(V).</param>
    /// <param name="random">The sequence's stream, advanced unless the choice is greedy.</param>
    public int Choose(ReadOnlySpan<float> logits, ref PhiloxSequence random)
    {
        if (options.Temperature <= 0) return ArgMax(logits);
        int kept = Rank(logits);
        double total = 0;
        for (int i = 0; i < kept; i++) total += probabilities[i] = Math.Exp((logits[order[i]] - logits[order[0]]) / options.Temperature);
        kept = WithinTopP(kept, ref total);
        double draw = random.NextDouble() * total;
        for (int i = 0; i < kept - 1; i++)
        {
            draw -= probabilities[i];
            if (draw < 0) return order[i];
        }

        return order[kept - 1];
    }

    /// <summary>Index of the largest logit, the first of equal ones.</summary>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best]) best = i;
        }

        return best;
    }

    /// <summary>Orders ids by falling logit, ids rising among equals, and returns how many top-k keeps.</summary>
    private int Rank(ReadOnlySpan<float> logits)
    {
        for (int i = 0; i < logits.Length; i++) (order[i], keys[i]) = (i, -logits[i]);
        Array.Sort(keys, order);
        for (int i = 0; i < keys.Length;)
        {
            int end = i + 1;
            while (end < keys.Length && keys[end].Equals(keys[i])) end++;
            Array.Sort(order, i, end - i);
            i = end;
        }

        return options.TopK > 0 ? Math.Min(options.TopK, logits.Length) : logits.Length;
    }

    private int WithinTopP(int kept, ref double total)
    {
        if (options.TopP >= 1) return kept;
        double limit = options.TopP * total, sum = 0;
        int count = 0;
        while (count < kept && (count == 0 || sum < limit)) sum += probabilities[count++];
        total = sum;
        return count;
    }
}
