namespace RepNoise.Bench.Step;

/// <summary>The fixed shapes: a has a large vocabulary, b a deep model; c is a's model on texts of real lengths.</summary>
internal static class Shape
{
    // Log-normal draws, medians 19, 72 and 72 tokens.
    private static readonly int[] Prompts = [24, 19, 16, 9, 19, 19, 32, 16];
    private static readonly int[] Harmful = [24, 34, 68, 83, 115, 54, 101, 77];
    private static readonly int[] Harmless = [221, 67, 77, 103, 160, 38, 51, 58];

    // The squares of the three forms; then a linear layer, its weight's gradient and a chunk of head logits of shape a.
    private static readonly (int M, int N, int K, string Form)[] Products =
    [
        (1024, 1024, 1024, "NN"), (1024, 1024, 1024, "NT"), (1024, 1024, 1024, "TN"),
        (1024, 688, 256, "NT"), (688, 256, 1024, "TN"), (256, 32000, 256, "NT"), (768, 1376, 512, "NT"),
    ];

    private const double ProductFlops = 2e10; // about a tenth of a second on one core

    /// <summary>Training steps.</summary>
    public static readonly string[] Steps = ["a", "b", "c", "sft-a", "sft-b"];

    /// <summary>Every name; <c>matmul</c> stands for all products, <c>scaling</c> for shape a with one thread and with all.</summary>
    public static readonly string[] Names = [.. Steps, "matmul", Scaling];

    /// <summary>Shape a against itself, without a peer.</summary>
    public const string Scaling = "scaling";

    /// <summary>The jobs of a name, each under the name of its rows.</summary>
    public static IEnumerable<(string Name, Job Job)> Jobs(string name, int threads, string folder)
    {
        if (name != "matmul")
        {
            yield return (name, Create(name, threads, Path.Combine(folder, name + ".safetensors")));
            yield break;
        }

        foreach (var (m, n, k, form) in Products)
        {
            string row = $"matmul-{form.ToLowerInvariant()}-{m}x{n}x{k}";
            int repeats = (int)Math.Ceiling(ProductFlops / (2.0 * m * n * k));
            yield return (row, new Job(false, 0, 0, 0, 0, 0, 0, [], [], threads, Path.Combine(folder, row + ".safetensors"))
            {
                Product = new Product(m, n, k, form, repeats),
            });
        }
    }

    private static Job Create(string name, int threads, string tensors)
    {
        var a = new Job(name.StartsWith("sft", StringComparison.Ordinal), 32000, 256, 688, 4, 8, 256, [], [], threads, tensors);
        return name switch
        {
            "a" or "sft-a" or Scaling => Fill(a, Same(128, 4), Same(128, 4), Same(128, 4)),
            "b" or "sft-b" => Fill(a with { Vocab = 4096, Hidden = 512, Intermediate = 1376, Layers = 8, Length = 128 },
                Same(64, 4), Same(64, 4), Same(64, 4)),
            "c" => Fill(a, Prompts, Harmful, Harmless),
            _ => throw new ArgumentException($"there is no shape {name}; the shapes are {string.Join(", ", Steps)}"),
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
