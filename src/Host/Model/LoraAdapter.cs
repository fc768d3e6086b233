using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>
/// An adapter beside one linear layer: <c>y = x W^T + scale * (x A^T) B^T</c>. A begins uniform in +-1/sqrt(inputs), which is
/// PEFT's Kaiming initialisation, and B as zero, so that training begins at the model itself.
/// </summary>
public sealed class LoraAdapter
{
    /// <param name="target">The weight beside which it stands.</param>
    /// <param name="options">Rank and scale.</param>
    internal LoraAdapter(Parameter target, LoraOptions options)
    {
        (Target, Scale) = (target, options.Scale);
        A = new WeightBlock { Rows = options.Rank, Columns = target.Columns, Decays = true, IsTrained = true, GradientStartsAsProduct = true };
        B = new WeightBlock { Rows = target.Rows, Columns = options.Rank, Decays = true, IsTrained = true, GradientStartsAsProduct = true };
        string module = target.Name[..^".weight".Length];
        Parameters =
        [
            new Parameter(module + ".lora_A.weight", A, 0, 0, A.Rows, A.Columns, false),
            new Parameter(module + ".lora_B.weight", B, 0, 0, B.Rows, B.Columns, false),
        ];
    }

    /// <summary>W as a part of its block; the adapter adds to its columns of the block's output.</summary>
    public Parameter Target { get; }

    /// <summary>alpha / rank.</summary>
    public double Scale { get; }

    /// <summary>(r, inputs).</summary>
    public WeightBlock A { get; }

    /// <summary>(outputs, r).</summary>
    public WeightBlock B { get; }

    /// <summary>A and B under PEFT's names within the model.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Fills A; B is left as it was allocated, zero.</summary>
    /// <param name="device">Where the adapter lies.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="stream">Number of the adapter.</param>
    internal void Initialize(Device device, ulong seed, ulong stream)
    {
        var random = new PhiloxSequence(seed, PhiloxPurpose.Adapters, stream);
        double bound = 1 / Math.Sqrt(A.Columns);
        var values = new float[A.Length];
        for (int i = 0; i < values.Length; i++) values[i] = (float)((2 * random.NextDouble() - 1) * bound);
        device.Upload(values, A.Master);
        if (!device.SharesMasterWeights) device.Copy(A.Value, A.Master);
    }

    /// <summary>Adds <c>scale * B A</c> to values of W that the caller read.</summary>
    /// <param name="offset">First element in row-major order.</param>
    /// <param name="target">The values from there on.</param>
    internal void AddTo(long offset, Span<float> target) => new LowRankUpdate(Download(A.Master), Download(B.Master), A.Columns, Scale).AddTo(offset, target);

    private static float[] Download(Tensor tensor)
    {
        var values = new float[tensor.Length];
        tensor.Buffer.Device.Download(tensor, values);
        return values;
    }
}
