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

    /// <summary>Every block that the layer has.</summary>
    public IEnumerable<WeightBlock> Blocks => ((WeightBlock?[])
    [
        InputNorm, Qkv, QkvBias, QueryNorm, KeyNorm, Output, OutputBias, PostAttentionNorm, GateUp, GateUpBias, Down, DownBias,
    ]).OfType<WeightBlock>();
}

/// <summary>
/// All weights of a decoder on one device: blocks for the engine, and the checkpoint's tensors by name for reading and saving.
/// Each role (values, gradients) is one buffer.
/// </summary>
public sealed class ModelParameters : IDisposable
{
    private const int ChunkElements = 1 << 20;
    private readonly List<DeviceBuffer> buffers = [];

    private readonly TrainedParts trained;

    /// <summary>Zeroed weights of the right shapes; <see cref="Load"/> or <see cref="RandomInitialization"/> fills them.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="device">Where the weights lie.</param>
    /// <param name="use">Whether there are gradients.</param>
    /// <param name="trained">What is trained; null trains everything.</param>
    /// <exception cref="ArgumentException">Nothing is left to train.</exception>
    public ModelParameters(ModelConfig config, Device device, ParameterUse use, TrainedParts? trained = null)
    {
        this.trained = trained ?? TrainedParts.All;
        Config = config;
        Device = device;
        var layout = new ParameterLayout(config);
        (Embedding, Layers, FinalNorm, Head) = (layout.Embedding, layout.Layers, layout.FinalNorm, layout.Head);
        (Blocks, Parameters) = (layout.Blocks, layout.Parameters);
        Adapters = MakeAdapters();
        ChooseTrained();
        if (use == ParameterUse.Training && Trained.Count == 0) throw new ArgumentException("nothing is left to train", nameof(trained));
        Allocate(use);
        for (int i = 0; i < Adapters.Count; i++) Adapters[i].Initialize(device, this.trained.Lora!.Seed, (ulong)i);
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

    /// <summary>Adapters in the checkpoint's order; empty where the parameters themselves are trained.</summary>
    public IReadOnlyList<LoraAdapter> Adapters { get; }

    /// <summary>Blocks that an optimizer updates: those of the model that are not frozen, or the adapters'.</summary>
    public IReadOnlyList<WeightBlock> Trained { get; private set; } = [];

    /// <summary>
    /// What training changes, by name: tensors of the checkpoint, or the adapters' own. All else stays as <see cref="Load"/> read it.
    /// </summary>
    public IReadOnlyList<Parameter> TrainedParameters { get; private set; } = [];

    /// <summary>The lowest layer in which something is trained: -1 for the embedding below all layers, L for what stands above them.</summary>
    public int FirstTrainedLayer { get; private set; }

    /// <summary>Number of values of the model, adapters not counted.</summary>
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

    /// <summary>As <see cref="Read"/>, with the tensor's adapter, if it has one, added: what a saved model holds.</summary>
    public void ReadMerged(string name, long offset, Span<float> target)
    {
        Read(name, offset, target);
        var parameter = this[name];
        parameter.Block.Adapters.FirstOrDefault(adapter => adapter.Target == parameter)?.AddTo(offset, target);
    }

    /// <summary>True where training can change a tensor of the checkpoint.</summary>
    public bool Changes(string name)
    {
        var parameter = this[name];
        return parameter.Block.IsTrained || parameter.Block.Adapters.Any(adapter => adapter.Target == parameter);
    }

    public Parameter this[string name] =>
        Parameters.FirstOrDefault(p => p.Name == name) ?? throw new KeyNotFoundException($"the model has no tensor {name}");

    /// <summary>Rounds the masters into the compute copies where the device keeps both.</summary>
    public void RefreshValues()
    {
        if (Device.SharesMasterWeights) return;
        foreach (var block in Blocks.Concat(Trained).Distinct()) Device.Copy(block.Value, block.Master);
    }

    /// <summary>Sets every gradient to zero; those that a backward computes as a whole are overwritten by it instead.</summary>
    public void ZeroGradients()
    {
        using var captured = Device.Capture("zero_gradients");
        foreach (var block in Trained)
        {
            if (block.GradientStartsAsProduct) block.HasGradient = false;
            else Device.Fill(block.Gradient, 0);
        }
    }

    public void Dispose()
    {
        foreach (var buffer in buffers) buffer.Dispose();
    }

    private List<LoraAdapter> MakeAdapters()
    {
        var adapters = new List<LoraAdapter>();
        if (trained.Lora is not { } options) return adapters;
        var modules = Enum.GetValues<LinearModule>().Where(options.Covers).Select(module => $".{ModuleName(module)}.weight").ToArray();
        for (int l = 0; l < Layers.Count; l++)
        {
            if (trained.FreezesLayer(l)) continue;
            foreach (var block in Layers[l].Blocks)
            {
                block.Adapters = [.. Parameters
                    .Where(parameter => parameter.Block == block && modules.Any(module => parameter.Name.EndsWith(module, StringComparison.Ordinal)))
                    .Select(parameter => new LoraAdapter(parameter, options))];
                adapters.AddRange(block.Adapters);
            }
        }

        return adapters;
    }

    /// <summary>A module as checkpoints and PEFT spell it: <c>q_proj</c>.</summary>
    internal static string ModuleName(LinearModule module) => module switch
    {
        LinearModule.QProj => "q_proj",
        LinearModule.KProj => "k_proj",
        LinearModule.VProj => "v_proj",
        LinearModule.OProj => "o_proj",
        LinearModule.GateProj => "gate_proj",
        LinearModule.UpProj => "up_proj",
        LinearModule.DownProj => "down_proj",
        _ => "all-linear",
    };

    private void ChooseTrained()
    {
        if (trained.Lora is null)
        {
            Embedding.IsTrained = !trained.Freezes(PartKind.Embed);
            Head.IsTrained = !trained.Freezes(PartKind.Head) && (Head != Embedding || Embedding.IsTrained);
            FinalNorm.IsTrained = !trained.Freezes(PartKind.Norm);
            for (int l = 0; l < Layers.Count; l++)
            {
                foreach (var block in Layers[l].Blocks) block.IsTrained = !trained.FreezesLayer(l);
            }
        }

        Trained = [.. Blocks.Where(block => block.IsTrained), .. Adapters.SelectMany(adapter => (WeightBlock[])[adapter.A, adapter.B])];
        TrainedParameters = [.. Parameters.Where(parameter => parameter.Block.IsTrained), .. Adapters.SelectMany(adapter => adapter.Parameters)];
        int lowest = 0;
        while (lowest < Layers.Count && !Layers[lowest].Blocks.Any(block => block.IsTrained || block.Adapters.Count > 0)) lowest++;
        FirstTrainedLayer = Embedding.IsTrained ? -1 : lowest;
    }

    private void Allocate(ParameterUse use)
    {
        IReadOnlyList<WeightBlock> all = [.. Blocks, .. Adapters.SelectMany(adapter => (WeightBlock[])[adapter.A, adapter.B])];
        Place(all, Device.ParameterKind, MemoryCategory.Weights, (block, tensor) => block.Master = tensor);
        if (Device.SharesMasterWeights)
        {
            foreach (var block in all) block.Value = block.Master;
        }
        else
        {
            Place(all, BufferKind.Compute, MemoryCategory.Weights, (block, tensor) => block.Value = tensor);
        }

        if (use == ParameterUse.Inference) return;
        Place(Trained, Device.ParameterKind, MemoryCategory.Gradients, (block, tensor) => block.Gradient = tensor);
        AllocateDiscarded();
    }

    /// <summary>Norms' backwards compute the weight's gradient with the input's: that of a frozen one goes where nobody reads.</summary>
    private void AllocateDiscarded()
    {
        var frozen = Blocks.Where(block => block.Rows == 1 && !block.IsTrained).ToList();
        if (frozen.Count == 0) return;
        var discarded = Device.AllocateTensor(Device.ParameterKind, 1, frozen.Max(block => block.Columns), MemoryCategory.Workspace);
        buffers.Add(discarded.Buffer);
        foreach (var block in frozen) block.Gradient = discarded.ColumnRange(0, block.Columns);
    }

    private void Place(IReadOnlyList<WeightBlock> blocks, BufferKind kind, string category, Action<WeightBlock, Tensor> assign) =>
        buffers.Add(Place(Device, blocks, kind, category, assign));

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
