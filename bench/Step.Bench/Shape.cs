namespace RepNoise.Bench.Step;

/// <summary>The fixed shapes: a has a large vocabulary, b a deep model; c is a's model on texts of real lengths.</summary>
internal static class Shape
{
    // Log-normal draws, medians 19, 72 and 72 tokens.
    private static readonly int[] Prompts = [24, 19, 16, 9, 19, 19, 32, 16];
    private static readonly int[] Harmful = [24, 34, 68, 83, 115, 54, 101, 77];
    private static readonly int[] Harmless = [221, 67, 77, 103, 160, 38, 51, 58];

    public static readonly string[] Names = ["a", "b", "c", "sft-a", "sft-b"];

    public static Job Create(string name, int threads, string tensors)
    {
        var a = new Job(name.StartsWith("sft", StringComparison.Ordinal), 32000, 256, 688, 4, 8, 256, [], [], threads, tensors);
        return name switch
        {
            "a" or "sft-a" => Fill(a, Same(128, 4), Same(128, 4), Same(128, 4)),
            "b" or "sft-b" => Fill(a with { Vocab = 4096, Hidden = 512, Intermediate = 1376, Layers = 8, Length = 128 },
                Same(64, 4), Same(64, 4), Same(64, 4)),
            "c" => Fill(a, Prompts, Harmful, Harmless),
            _ => throw new ArgumentException($"there is no shape {name}; the shapes are {string.Join(", ", Names)}"),
        };
    }

    private static int[] Same(int length, int count) => [.. Enumerable.Repeat(length, count)];

    /// <summary>Random ids; the answers of a pair differ at every position, as unrelated texts nearly do.</summary>
    private static Job Fill(Job job, int[] prompts, int[] harmful, int[] harmless)
    {
        var random = new Random(42);
        int[][] h = new int[prompts.Length][], s = new int[prompts.Length][];
        for (int b = 0; b < prompts.Length; b++)
        {
            int[] prompt = [.. Ids(prompts[b], 3)];
            h[b] = Cut([.. prompt, .. Ids(harmful[b], 3)]);
            s[b] = Cut([.. prompt, .. Ids(harmless[b], 4)]);
        }

        return job with { Harmful = h, Harmless = s };

        IEnumerable<int> Ids(int count, int first) => Enumerable.Range(0, count).Select(_ => first + 2 * random.Next((job.Vocab - 4) / 2));
        int[] Cut(int[] ids) => ids[..Math.Min(ids.Length, job.Length)];
    }
}
