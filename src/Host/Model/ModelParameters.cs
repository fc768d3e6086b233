using System.Buffers;
using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>Fills <paramref name="target"/> with a tensor's values from element <paramref name="offset"/> on.</summary>
public delegate void TensorReader(string name, long offset, Span<float> target);

/// <summary>Weights of one decoder layer.</summary>
public sealed class LayerWeights
{
    /// <summary>(1, C), before the attention.</summary>
    public required WeightBlock InputNorm { get; init; }

    /// <summary>((NH + 2 NKV) HS, C): q, k and v below each other.</summary>
    public required WeightBlock Qkv { get; init; }

    /// <summary>(1, (NH + 2 NKV) HS), or null.</summary>
    public WeightBlock? QkvBias { get; init; }

    /// <summary>(1, HS), RMSNorm of each query head, or null.</summary>
    public WeightBlock? QueryNorm { get; init; }

    /// <summary>(1, HS), RMSNorm of each key head, or null.</summary>
    public WeightBlock? KeyNorm { get; init; }

    /// <summary>(C, NH HS).</summary>
    public required WeightBlock Output { get; init; }

    /// <summary>(1, C), or null.</summary>
    public WeightBlock? OutputBias { get; init; }

    /// <summary>(1, C), before the feed-forward.</summary>
    public required WeightBlock PostAttentionNorm { get; init; }

    /// <summary>(2F, C): gate above up.</summary>
    public required WeightBlock GateUp { get; init; }

    /// <summary>(1, 2F), or null.</summary>
    public WeightBlock? GateUpBias { get; init; }

    /// <summary>(C, F).</summary>
    public required WeightBlock Down { get; init; }

    /// <summary>(1, C), or null.</summary>
    public WeightBlock? DownBias { get; init; }
}

/// <summary>
/// All weights of a decoder on one device: blocks for the engine, and the checkpoint's tensors by name for reading and saving.
/// Each role (values, gradients) is one buffer.
/// </summary>
public sealed class ModelParameters : IDisposable
{
    private const int ChunkElements = 1 << 20;
    private readonly List<DeviceBuffer> buffers = [];

    /// <summary>Zeroed weights of the right shapes; <see cref="Load"/> or <see cref="RandomInitialization"/> fills them.</summary>
    public ModelParameters(ModelConfig config, Device device, ParameterUse use)
    {
        Config = config;
        Device = device;
        var layout = new ParameterLayout(config);
        (Embedding, Layers, FinalNorm, Head) = (layout.Embedding, layout.Layers, layout.FinalNorm, layout.Head);
        (Blocks, Parameters) = (layout.Blocks, layout.Parameters);
        Allocate(use);
    }

    public ModelConfig Config { get; }

    public Device Device { get; }

    /// <summary>(V, C).</summary>
    public WeightBlock Embedding { get; }

    public IReadOnlyList<LayerWeights> Layers { get; }

    /// <summary>(1, C).</summary>
    public WeightBlock FinalNorm { get; }

    /// <summary>(V, C); the embedding itself where they are tied.</summary>
    public WeightBlock Head { get; }

    /// <summary>Every block once, in the checkpoint's order.</summary>
    public IReadOnlyList<WeightBlock> Blocks { get; }

    /// <summary>Every tensor of the checkpoint, in its order.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Number of trainable values.</summary>
    public long Count => Blocks.Sum(b => b.Length);

    /// <summary>Reads every tensor into the masters, in chunks, and makes the compute copies.</summary>
    public void Load(TensorReader read)
    {
        foreach (var parameter in Parameters) Load(parameter, read);
        RefreshValues();
    }

    /// <summary>Reads one tensor into its master, in chunks; <see cref="RefreshValues"/> is the caller's.</summary>
    public void Load(Parameter parameter, TensorReader read)
    {
        float[] chunk = ArrayPool<float>.Shared.Rent((int)Math.Min(ChunkElements, parameter.Length));
        try
        {
            long offset = 0;
            foreach (var view in Pieces(parameter.Master, ChunkElements))
            {
                var values = chunk.AsSpan(0, (int)view.Length);
                read(parameter.Name, offset, values);
                Device.Upload(values, view);
                offset += view.Length;
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(chunk);
        }
    }

    /// <summary>Copies values of a master from element <paramref name="offset"/> on; the inverse of <see cref="TensorReader"/>.</summary>
    public void Read(string name, long offset, Span<float> target)
    {
        var master = this[name].Master;
        while (target.Length > 0)
        {
            var view = Piece(master, offset, target.Length);
            Device.Download(view, target[..(int)view.Length]);
            target = target[(int)view.Length..];
            offset += view.Length;
        }
    }

    public Parameter this[string name] =>
        Parameters.FirstOrDefault(p => p.Name == name) ?? throw new KeyNotFoundException($"the model has no tensor {name}");

    /// <summary>Rounds the masters into the compute copies where the device keeps both.</summary>
    public void RefreshValues()
    {
        if (Device.SharesMasterWeights) return;
        foreach (var block in Blocks) Device.Copy(block.Value, block.Master);
    }

    /// <summary>Sets every gradient to zero; those that a backward computes as a whole are overwritten by it instead.</summary>
    public void ZeroGradients()
    {
        foreach (var block in Blocks)
        {
            if (block.GradientStartsAsProduct) block.HasGradient = false;
            else Device.Fill(block.Gradient, 0);
        }
    }

    public void Dispose()
    {
        foreach (var buffer in buffers) buffer.Dispose();
    }

    private void Allocate(ParameterUse use)
    {
        Place(Device.ParameterKind, MemoryCategory.Weights, (block, tensor) => block.Master = tensor);
        if (Device.SharesMasterWeights)
        {
            foreach (var block in Blocks) block.Value = block.Master;
        }
        else
        {
            Place(BufferKind.Compute, MemoryCategory.Weights, (block, tensor) => block.Value = tensor);
        }

        if (use == ParameterUse.Inference) return;
        Place(Device.ParameterKind, MemoryCategory.Gradients, (block, tensor) => block.Gradient = tensor);
    }

    private void Place(BufferKind kind, string category, Action<WeightBlock, Tensor> assign) =>
        buffers.Add(Place(Device, Blocks, kind, category, assign));

    /// <summary>One buffer with a tensor of every block's shape; the caller's to dispose.</summary>
    internal static DeviceBuffer Place(
        Device device, IReadOnlyList<WeightBlock> blocks, BufferKind kind, string category, Action<WeightBlock, Tensor> assign)
    {
        var buffer = device.Allocate(kind, blocks.Sum(b => Aligned(b.Length)), category);
        long offset = 0;
        foreach (var block in blocks)
        {
            assign(block, Tensor.Of(buffer, block.Rows, block.Columns, offset));
            offset += Aligned(block.Length);
        }

        return buffer;
    }

    /// <summary>Blocks start at multiples of 64 elements, so that vector loads of a row stay within cache lines.</summary>
    private static long Aligned(long length) => (length + 63) / 64 * 64;

    /// <summary>A tensor as views of at most <paramref name="limit"/> values, in row-major order.</summary>
    internal static IEnumerable<Tensor> Pieces(Tensor tensor, int limit)
    {
        for (long offset = 0; offset < tensor.Length;)
        {
            var view = Piece(tensor, offset, limit);
            yield return view;
            offset += view.Length;
        }
    }

    /// <summary>The longest view of at most <paramref name="limit"/> values from an element on: whole rows, or part of one.</summary>
    private static Tensor Piece(Tensor tensor, long offset, int limit)
    {
        int row = (int)(offset / tensor.Columns), column = (int)(offset % tensor.Columns);
        if (column == 0 && limit >= tensor.Columns) return tensor.RowRange(row, Math.Min(limit / tensor.Columns, tensor.Rows - row));
        return tensor.RowRange(row, 1).ColumnRange(column, Math.Min(limit, tensor.Columns - column));
    }
}
