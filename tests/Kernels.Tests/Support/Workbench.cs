using RepNoise.Kernels.Reference;
using static System.FormattableString;

namespace RepNoise.Kernels.Tests.Support;

/// <summary>How a case's tensors lie in their buffers.</summary>
public enum Layout
{
    /// <summary>Rows without gaps, from an aligned offset.</summary>
    Dense,

    /// <summary>A gap after every row, from an odd offset.</summary>
    Strided,
}

/// <summary>What a case does with a tensor, and so what is checked of it.</summary>
public enum Role
{
    /// <summary>Read only: must be unchanged afterwards.</summary>
    Input,

    /// <summary>Read and written: compared.</summary>
    Updated,

    /// <summary>Written, every element: poisoned first, compared.</summary>
    Written,

    /// <summary>Workspace: contents are the operation's own.</summary>
    Scratch,
}

/// <summary>
/// One device's copy of a case. Every tensor lies inside a larger buffer whose other elements hold a sentinel, and its first
/// values follow from the seed and the order of creation alone, rounded so that every device under comparison holds the same.
/// </summary>
public sealed class Workbench(Device device, Layout layout, ulong seed, NumberFormat computeFormat) : IDisposable
{
    // Both are exact in bfloat16 and so large that a sum which reads one cannot pass for right.
    private const double Sentinel = -3.0 * (1L << 60);
    private const double Poison = 5.0 * (1L << 58);
    private const int Margin = 16;
    private const int OddOffset = 11;
    private const int RowGap = 5;

    private readonly List<Entry> entries = [];
    private readonly List<IDisposable> owned = [];

    public Device Device => device;

    /// <summary>A tensor with Gaussian values times a scale, that the operation only reads.</summary>
    public Tensor Input(string name, BufferKind kind, int rows, int columns, double scale = 1) =>
        Input(name, kind, rows, columns, Gaussians(rows * columns, scale));

    /// <summary>A tensor with given values, that the operation only reads.</summary>
    public Tensor Input(string name, BufferKind kind, int rows, int columns, double[] values) =>
        Add(new Entry(name, kind, rows, columns, Role.Input, 0, 0), values);

    /// <summary>A tensor with Gaussian first values that the operation changes.</summary>
    /// <param name="magnitude">See <see cref="Outcome.Magnitude"/>.</param>
    public Tensor Updated(string name, BufferKind kind, int rows, int columns, double scale = 1, double magnitude = 0, double ulps = 0) =>
        Updated(name, kind, rows, columns, Gaussians(rows * columns, scale), magnitude, ulps);

    /// <inheritdoc cref="Updated(string, BufferKind, int, int, double, double, double)"/>
    public Tensor Updated(
        string name, BufferKind kind, int rows, int columns, double[] values, double magnitude = 0, double ulps = 0) =>
        Add(new Entry(name, kind, rows, columns, Role.Updated, magnitude, ulps), values);

    /// <summary>A tensor of which the operation must write every element.</summary>
    /// <inheritdoc cref="Updated(string, BufferKind, int, int, double, double, double)"/>
    public Tensor Written(string name, BufferKind kind, int rows, int columns, double magnitude = 0, double ulps = 0) =>
        Add(new Entry(name, kind, rows, columns, Role.Written, magnitude, ulps), Filled(rows * columns, Poison));

    /// <summary>A workspace.</summary>
    public Tensor Scratch(string name, BufferKind kind, int rows, int columns) =>
        Add(new Entry(name, kind, rows, columns, Role.Scratch, 0, 0), Filled(rows * columns, Poison));

    /// <summary>Row numbers, positions or targets, between other values that are no row of anything.</summary>
    public Indices Numbers(params ReadOnlySpan<int> values)
    {
        var image = new int[values.Length + 2 * Margin];
        image.AsSpan().Fill(int.MinValue);
        values.CopyTo(image.AsSpan(Margin));
        var all = Own(device.Allocate(BufferKind.Index, image.Length, "test"));
        device.Upload(image, Indices.Of(all, image.Length));
        return Indices.Of(all, image.Length).Range(Margin, values.Length);
    }

    /// <summary>Gives a plan or buffer to the bench to dispose.</summary>
    public T Own<T>(T disposable)
        where T : IDisposable
    {
        owned.Add(disposable);
        return disposable;
    }

    /// <summary>Standard Gaussians times a scale; each call has its own.</summary>
    public double[] Gaussians(int count, double scale = 1)
    {
        var sequence = new PhiloxSequence(seed, PhiloxPurpose.Initialization, (ulong)(entries.Count + 1));
        var values = new double[(count + 3) / 4 * 4];
        for (int i = 0; i < values.Length; i += 4)
        {
            (values[i], values[i + 1], values[i + 2], values[i + 3]) = sequence.NextGaussians();
        }

        return [.. values.Take(count).Select(value => value * scale)];
    }

    /// <summary>Checks sentinels and inputs, and hands out what was computed.</summary>
    public IReadOnlyList<Outcome> Finish() => [.. entries.Select(Inspect).OfType<Outcome>()];

    public void Dispose()
    {
        foreach (var disposable in owned) disposable.Dispose();
    }

    private static double[] Filled(int count, double value)
    {
        var values = new double[count];
        values.AsSpan().Fill(value);
        return values;
    }

    private Tensor Add(Entry entry, double[] values)
    {
        bool strided = layout == Layout.Strided;
        int stride = entry.Columns + (strided ? RowGap : 0);
        int offset = strided ? OddOffset : Margin;
        var image = Filled(offset + entry.Rows * stride + Margin, Sentinel);
        entry.Tensor = new Tensor(Own(device.Allocate(entry.Kind, image.Length, "test")), offset, entry.Rows, entry.Columns, stride);
        for (int i = 0; i < values.Length; i++) image[entry.At(i)] = Quantise(values[i], entry.Kind);
        device.Upload(image, Tensor.Of(entry.Tensor.Buffer, 1, image.Length));
        entry.Image = image;
        entries.Add(entry);
        return entry.Tensor;
    }

    private double Quantise(double value, BufferKind kind) => (kind, computeFormat) switch
    {
        (BufferKind.Scalar, _) => value,
        (BufferKind.Compute, NumberFormat.BFloat16) => BFloat16Rounding.Round((float)value),
        _ => (float)value,
    };

    private Outcome? Inspect(Entry entry)
    {
        var image = new double[entry.Image.Length];
        device.Download(Tensor.Of(entry.Tensor.Buffer, 1, image.Length), image);
        var values = new double[entry.Rows * entry.Columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = image[entry.At(i)];
            if (entry.Role != Role.Input) image[entry.At(i)] = entry.Image[entry.At(i)];
        }

        for (int i = 0; i < image.Length; i++)
        {
            if (image[i].Equals(entry.Image[i])) continue;
            Assert.Fail(Invariant($"{entry.Name} ({entry.Rows}, {entry.Columns}), {layout}: element {i - entry.Tensor.Offset} from its start ") +
                Invariant($"is no output and changed from {entry.Image[i]:r} to {image[i]:r}"));
        }

        return entry.Role is Role.Input or Role.Scratch
            ? null
            : new Outcome(entry.Name, entry.Kind, entry.Rows, entry.Columns, values, entry.Magnitude, entry.Ulps);
    }

    private sealed record Entry(string Name, BufferKind Kind, int Rows, int Columns, Role Role, double Magnitude, double Ulps)
    {
        public Tensor Tensor { get; set; }

        public double[] Image { get; set; } = [];

        public long At(int element) => Tensor.Offset + (long)(element / Columns) * Tensor.RowStride + element % Columns;
    }
}

/// <summary>A tensor that a case computed.</summary>
/// <param name="Name">Its name in the contract.</param>
/// <param name="Kind">Kind of its buffer.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns.</param>
/// <param name="Values">Its values, row by row.</param>
/// <param name="Magnitude">Size of the terms that a value is summed from, where they may cancel; 0 if they do not.</param>
/// <param name="Ulps">Floor of the budget in units of rounding, where it is not the usual one; see <see cref="Budget"/>.</param>
public sealed record Outcome(string Name, BufferKind Kind, int Rows, int Columns, double[] Values, double Magnitude, double Ulps);
