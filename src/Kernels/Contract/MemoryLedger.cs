namespace RepNoise.Kernels;

/// <summary>What memory is for, as the memory plan and the profiler name it.</summary>
public static class MemoryCategory
{
    /// <summary>Master weights, and their copies where the compute format is another.</summary>
    public const string Weights = "weights";

    public const string Gradients = "gradients";

    /// <summary>What the optimizer carries from step to step.</summary>
    public const string Moments = "moments";

    /// <summary>What the forward leaves for the backward.</summary>
    public const string Activations = "activations";

    /// <summary>Gradients of activations, which live for one operation or layer, and a step's scalars.</summary>
    public const string Workspace = "workspace";

    /// <summary>Rows that enter a cross-entropy, and their gradients.</summary>
    public const string CrossEntropy = "cross-entropy";

    /// <summary>Rows of every lens depth with their gradients, and the ascent's own gradient of the head.</summary>
    public const string Ascent = "ascent";

    /// <summary>Masked rows and distances of the noise term.</summary>
    public const string Noise = "noise";

    /// <summary>One chunk of logits.</summary>
    public const string Logits = "logits";

    /// <summary>Rotary tables.</summary>
    public const string Tables = "tables";

    /// <summary>Token ids, positions, row numbers.</summary>
    public const string Batch = "batch";

    /// <summary>Keys and values of generated text.</summary>
    public const string Cache = "cache";

    /// <summary>What a device keeps for its own use: packed panels, partial sums.</summary>
    public const string Scratch = "scratch";

    /// <summary>All of them, in the order in which a plan lists them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        Weights, Gradients, Moments, Activations, Workspace, CrossEntropy, Ascent, Noise, Logits, Tables, Batch, Cache, Scratch,
    ];
}

/// <summary>Counts the bytes that a device's allocators have handed out, by category, and keeps their largest sum.</summary>
public sealed class MemoryLedger
{
    private readonly Dictionary<string, long> current = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> atPeak = new(StringComparer.Ordinal);

    /// <summary>Bytes handed out now.</summary>
    public long Total { get; private set; }

    /// <summary>Largest value <see cref="Total"/> has had.</summary>
    public long Peak { get; private set; }

    /// <summary>Bytes of each category when <see cref="Peak"/> was reached; they add up to it.</summary>
    public IReadOnlyDictionary<string, long> AtPeak => atPeak;

    /// <summary>Bytes of a category now.</summary>
    public long this[string category] => current.GetValueOrDefault(category);

    /// <summary>Adds bytes to a category, or takes them back where negative.</summary>
    internal void Add(string category, long bytes)
    {
        current[category] = this[category] + bytes;
        Total += bytes;
        if (Total <= Peak) return;
        Peak = Total;
        foreach (var (name, value) in current) atPeak[name] = value;
    }
}
