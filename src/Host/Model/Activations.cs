using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>What one layer's forward leaves for its backward; N rows of capacity, views are taken per batch.</summary>
public sealed class LayerActivations
{
    /// <summary>(N, C): normed input of the attention.</summary>
    public required Tensor Normed1 { get; init; }

    /// <summary>(N, 1).</summary>
    public required Tensor Rstd1 { get; init; }

    /// <summary>(N, (NH + 2 NKV) HS): q and k rotated, v.</summary>
    public required Tensor Qkv { get; init; }

    /// <summary>(N, (NH + NKV) HS): q and k before their norms; none without q/k norm.</summary>
    public Tensor RawQk { get; init; }

    /// <summary>(N, NH); none without q/k norm.</summary>
    public Tensor RstdQuery { get; init; }

    /// <summary>(N, NKV); none without q/k norm.</summary>
    public Tensor RstdKey { get; init; }

    /// <summary>(N, NH HS): attention output before the output projection.</summary>
    public required Tensor Attention { get; init; }

    /// <summary>(N, NH).</summary>
    public required Tensor Lse { get; init; }

    /// <summary>(N, C): residual stream after the attention.</summary>
    public required Tensor Middle { get; init; }

    /// <summary>(N, C): normed input of the feed-forward.</summary>
    public required Tensor Normed2 { get; init; }

    /// <summary>(N, 1).</summary>
    public required Tensor Rstd2 { get; init; }

    /// <summary>(N, 2F): gate and up; the backward overwrites them with their gradients.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>(N, F): silu(gate) * up.</summary>
    public required Tensor Activated { get; init; }
}

/// <summary>
/// Memory of forward and backward for batches of at most N rows, allocated once. For inference every layer shares one set of
/// buffers and the residual stream is one matrix; for training each layer keeps its own, unless layers are recomputed: then
/// only the residual stream before each layer is kept.
/// </summary>
public sealed class Activations : IDisposable
{
    private readonly Device device;
    private readonly List<DeviceBuffer> buffers = [];
    private readonly string category = MemoryCategory.Activations;

    /// <param name="config">Sizes.</param>
    /// <param name="device">Where the memory lies.</param>
    /// <param name="maxRows">N.</param>
    /// <param name="use">Whether there is a backward.</param>
    /// <param name="recomputesLayers">True where the backward runs each layer's forward again.</param>
    public Activations(ModelConfig config, Device device, int maxRows, ParameterUse use, bool recomputesLayers)
    {
        this.device = device;
        MaxRows = maxRows;
        int c = config.HiddenSize, layers = config.NumHiddenLayers;
        bool training = use == ParameterUse.Training;
        Hidden = Repeat(layers + 1, training, () => Compute(c));
        SharesLayers = !training || recomputesLayers;
        Layers = Repeat(layers, !SharesLayers, () => NewLayer(config));
        FinalNormed = Compute(c);
        FinalRstd = State(1);
        BlockOutput = Compute(c);
        if (!training) return;
        category = MemoryCategory.Workspace;
        DFinalNormed = Compute(c);
        DHidden = Compute(c);
        DMlp = Compute(c);
        DNormed = Compute(c);
        DActivated = Compute(config.IntermediateSize);
        DAttention = Compute(config.NumAttentionHeads * config.HeadDim);
        DQkv = Compute((config.NumAttentionHeads + 2 * config.NumKeyValueHeads) * config.HeadDim);
    }

    public int MaxRows { get; }

    /// <summary>(N, C) each: the residual stream before each layer, and after the last one.</summary>
    public IReadOnlyList<Tensor> Hidden { get; }

    public IReadOnlyList<LayerActivations> Layers { get; }

    /// <summary>True where <see cref="Layers"/> are all the same buffers: those of the layer that ran last.</summary>
    public bool SharesLayers { get; }

    /// <summary>(N, C): norm(Hidden[L]), what transformers calls the last hidden state.</summary>
    public Tensor FinalNormed { get; }

    /// <summary>(N, 1).</summary>
    public Tensor FinalRstd { get; }

    /// <summary>(N, C): what the block that ran last, attention or MLP, adds to the residual stream.</summary>
    public Tensor BlockOutput { get; }

    /// <summary>(N, C): gradient of <see cref="FinalNormed"/>.</summary>
    public Tensor DFinalNormed { get; }

    /// <summary>(N, C): gradient of the residual stream, carried from layer to layer.</summary>
    public Tensor DHidden { get; }

    /// <summary>(N, C): gradient of an MLP's output.</summary>
    public Tensor DMlp { get; }

    /// <summary>(N, C): gradient of a normed input.</summary>
    public Tensor DNormed { get; }

    /// <summary>(N, F).</summary>
    public Tensor DActivated { get; }

    /// <summary>(N, NH HS).</summary>
    public Tensor DAttention { get; }

    /// <summary>(N, (NH + 2 NKV) HS).</summary>
    public Tensor DQkv { get; }

    public void Dispose()
    {
        foreach (var buffer in buffers) buffer.Dispose();
    }

    private LayerActivations NewLayer(ModelConfig config)
    {
        int c = config.HiddenSize, heads = config.NumAttentionHeads, kv = config.NumKeyValueHeads, hs = config.HeadDim;
        return new LayerActivations
        {
            Normed1 = Compute(c),
            Rstd1 = State(1),
            Qkv = Compute((heads + 2 * kv) * hs),
            RawQk = config.QkNorm ? Compute((heads + kv) * hs) : default,
            RstdQuery = config.QkNorm ? State(heads) : default,
            RstdKey = config.QkNorm ? State(kv) : default,
            Attention = Compute(heads * hs),
            Lse = State(heads),
            Middle = Compute(c),
            Normed2 = Compute(c),
            Rstd2 = State(1),
            GateUp = Compute(2 * config.IntermediateSize),
            Activated = Compute(config.IntermediateSize),
        };
    }

    /// <summary>Distinct values, or the same one again and again.</summary>
    private static T[] Repeat<T>(int count, bool distinct, Func<T> make)
    {
        var values = new T[count];
        for (int i = 0; i < count; i++) values[i] = distinct || i == 0 ? make() : values[0];
        return values;
    }

    private Tensor Compute(int columns) => Allocate(BufferKind.Compute, columns);

    private Tensor State(int columns) => Allocate(BufferKind.State, columns);

    private Tensor Allocate(BufferKind kind, int columns)
    {
        var tensor = device.AllocateTensor(kind, MaxRows, columns, category);
        buffers.Add(tensor.Buffer);
        return tensor;
    }
}
