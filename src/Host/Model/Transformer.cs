using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>What a loss wants to see or add while the transformer runs; every method has a no-op default.</summary>
public interface IPassObserver
{
    /// <summary>The residual stream (N, C) before a layer, or after the last one for layer = L.</summary>
    void OnHidden(int layer, Tensor hidden)
    {
    }

    /// <summary>After a layer's MLP ran: its output (N, C), before it is added to the residual stream.</summary>
    void OnMlpOutput(int layer, Tensor mlp)
    {
    }

    /// <summary>True where <see cref="AddMlpGradient"/> wants this layer.</summary>
    bool WantsMlpGradient(int layer) => false;

    /// <summary>Adds to the gradient (N, C) of a layer's MLP output.</summary>
    void AddMlpGradient(int layer, Tensor dMlp)
    {
    }

    /// <summary>Adds to the gradient (N, C) of the residual stream before a layer (0: the embeddings).</summary>
    void AddHiddenGradient(int layer, Tensor dHidden)
    {
    }
}

/// <summary>Where a batch's keys and values lie: in the batch itself, or in a cache that holds earlier tokens too.</summary>
public interface IKeyValueStore
{
    /// <summary>Takes the batch's rows of one layer, k and v (N, NKV HS), and returns the tensors that the attention reads.</summary>
    (Tensor Keys, Tensor Values) Store(int layer, Tensor keys, Tensor values);
}

/// <summary>
/// A Llama-style decoder, layer by layer, as a fixed order of operations that one can read; no graph, no autograd. The forward
/// is here, the backward in Transformer.Backward.cs, linear layers in Transformer.Linear.cs.
/// <code>
/// hidden[0] = embedding[ids]
/// middle    = hidden[l] + output(attention(rotary(qkv(norm(hidden[l])))))
/// hidden[l+1] = middle + down(silu(gate(norm(middle))) * up(norm(middle)))
/// final     = norm(hidden[L])
/// </code>
/// Each sum and the norm that reads it next are one operation, so a layer ends with the normed input of the next one.
/// </summary>
public sealed partial class Transformer : IDisposable
{
    private readonly ModelParameters weights;
    private readonly Device device;
    private readonly Activations memory;
    private readonly Tensor cos;
    private readonly Tensor sin;
    private readonly Tensor lowRank;
    private readonly Tensor lowRankScaled;

    /// <param name="weights">Weights on their device.</param>
    /// <param name="maxRows">Most rows of any batch.</param>
    /// <param name="maxPositions">One past the largest position of any batch.</param>
    /// <param name="use">Training keeps every layer's activations.</param>
    /// <param name="recomputesLayers">
    /// True keeps only what goes into each layer, and runs a layer's forward again when the backward comes to it: the same bits
    /// from less memory and one more forward (Chen et al., arXiv 1604.06174; transformers' gradient_checkpointing).
    /// </param>
    public Transformer(ModelParameters weights, int maxRows, int maxPositions, ParameterUse use, bool recomputesLayers = false)
    {
        this.weights = weights;
        device = weights.Device;
        memory = new Activations(Config, device, maxRows, use, recomputesLayers);
        var (c, s) = RotaryTables.Build(RotaryFrequencies(Config), maxPositions);
        cos = device.AllocateTensor(BufferKind.State, maxPositions, Config.HeadDim / 2, MemoryCategory.Tables);
        sin = device.AllocateTensor(BufferKind.State, maxPositions, Config.HeadDim / 2, MemoryCategory.Tables);
        int rank = weights.Adapters.Select(adapter => adapter.A.Rows).DefaultIfEmpty().Max();
        lowRank = device.AllocateTensor(BufferKind.Compute, maxRows, rank, MemoryCategory.Workspace);
        lowRankScaled = device.AllocateTensor(BufferKind.Compute, maxRows, rank, MemoryCategory.Workspace);
        device.Upload(c, cos);
        device.Upload(s, sin);
    }

    public ModelConfig Config => weights.Config;

    public ModelParameters Weights => weights;

    /// <summary>Rows of the batch that ran last.</summary>
    public int Rows { get; private set; }

    /// <summary>(N, C): norm(hidden[L]) of the last forward.</summary>
    public Tensor FinalNormed => memory.FinalNormed.RowRange(0, Rows);

    /// <summary>(N, C): gradient of <see cref="FinalNormed"/>; a loss adds to it before <see cref="Backward"/>.</summary>
    public Tensor DFinalNormed => memory.DFinalNormed.RowRange(0, Rows);

    /// <summary>(N, C): the residual stream before layer l, or after the last for l = L. For training passes only.</summary>
    public Tensor Hidden(int layer) => memory.Hidden[layer].RowRange(0, Rows);

    /// <summary>Runs a batch.</summary>
    /// <param name="ids">N token ids.</param>
    /// <param name="plan">Segments and positions of the N rows.</param>
    /// <param name="observer">Sees every MLP output; null sees nothing.</param>
    /// <param name="store">Where keys and values go; null keeps them in the batch.</param>
    public void Forward(Indices ids, AttentionPlan plan, IPassObserver? observer = null, IKeyValueStore? store = null)
    {
        using var forward = device.Scope(Phase.Forward);
        Rows = ids.Count;
        device.GatherRows(Hidden(0), weights.Embedding.Value, ids);
        device.Show("embedding", Hidden(0));
        observer?.OnHidden(0, Hidden(0));
        for (int l = 0; l < Config.NumHiddenLayers; l++)
        {
            using var layer = device.Scope(Phase.Layer, l);
            if (l == 0) NormaliseInput(0); // that of the others comes with the sum before them
            AttentionBlock(l, plan, store);
            FeedForwardBlock(l, observer);
            device.Show("hidden", Hidden(l + 1));
            observer?.OnHidden(l + 1, Hidden(l + 1));
        }

        device.Show("final_norm", FinalNormed);
    }

    /// <summary>logits (R, V) = rows (R, C) of <see cref="FinalNormed"/> times the head.</summary>
    public void Logits(Tensor logits, Tensor rows) => device.Matmul(logits, rows, weights.Head.Value, MatmulForm.NT);

    public void Dispose()
    {
        memory.Dispose();
        cos.Buffer.Dispose();
        sin.Buffer.Dispose();
        lowRank.Buffer.Dispose();
        lowRankScaled.Buffer.Dispose();
    }

    private static double[] RotaryFrequencies(ModelConfig config) => config.Rope.Llama3 is { } scaling
        ? RotaryTables.Llama3Frequencies(config.HeadDim, config.Rope.Theta, scaling.Factor, scaling.LowFreqFactor,
            scaling.HighFreqFactor, scaling.OriginalMaxPositionEmbeddings)
        : RotaryTables.Frequencies(config.HeadDim, config.Rope.Theta);

    /// <summary>The norm that reads hidden[l]: of the layer's attention, or the final one for l = L.</summary>
    private (Tensor Normed, Tensor Rstd, WeightBlock Weight) InputNorm(int l) => l < Config.NumHiddenLayers
        ? (View(memory.Layers[l].Normed1), View(memory.Layers[l].Rstd1), weights.Layers[l].InputNorm)
        : (FinalNormed, View(memory.FinalRstd), weights.FinalNorm);

    private void NormaliseInput(int l)
    {
        var (normed, rstd, weight) = InputNorm(l);
        device.RmsNormForward(normed, rstd, Hidden(l), weight.Value, Config.RmsNormEps);
    }

    /// <summary>From the layer's normed input to that of the feed-forward.</summary>
    private void AttentionBlock(int l, AttentionPlan plan, IKeyValueStore? store)
    {
        var (w, a) = (weights.Layers[l], memory.Layers[l]);
        Linear(View(a.Qkv), View(a.Normed1), w.Qkv, w.QkvBias);
        var (q, k, v) = Split(View(a.Qkv));
        if (w.QueryNorm is { } queryNorm && w.KeyNorm is { } keyNorm)
        {
            var (rawQuery, rawKey) = SplitRaw(a);
            device.Copy(rawQuery, q);
            device.Copy(rawKey, k);
            device.RmsNormForward(q, View(a.RstdQuery), rawQuery, queryNorm.Value, Config.RmsNormEps);
            device.RmsNormForward(k, View(a.RstdKey), rawKey, keyNorm.Value, Config.RmsNormEps);
        }

        device.Rotary(QueriesAndKeys(View(a.Qkv)), cos, sin, plan.DevicePositions, inverse: false);
        var (keys, values) = store?.Store(l, k, v) ?? (k, v);
        device.AttentionForward(View(a.Attention), View(a.Lse), q, keys, values, plan, Shape(l));
        device.Show("attention", View(a.Attention));
        var output = View(memory.BlockOutput);
        Linear(output, View(a.Attention), w.Output, w.OutputBias);
        device.AddRmsNormForward(View(a.Normed2), View(a.Middle), View(a.Rstd2), Hidden(l), output, w.PostAttentionNorm.Value, Config.RmsNormEps);
    }

    /// <summary>From the feed-forward's normed input to hidden[l + 1], normed for what reads it next.</summary>
    private void FeedForwardBlock(int l, IPassObserver? observer)
    {
        FeedForwardActivations(l);
        var (w, a) = (weights.Layers[l], memory.Layers[l]);
        var mlp = View(memory.BlockOutput);
        Linear(mlp, View(a.Activated), w.Down, w.DownBias);
        device.Show("mlp", mlp);
        observer?.OnMlpOutput(l, mlp);
        var (normed, rstd, norm) = InputNorm(l + 1);
        device.AddRmsNormForward(normed, Hidden(l + 1), rstd, View(a.Middle), mlp, norm.Value, Config.RmsNormEps);
    }

    /// <summary>The feed-forward up to its down projection: all that its backward reads.</summary>
    private void FeedForwardActivations(int l)
    {
        var (w, a) = (weights.Layers[l], memory.Layers[l]);
        Linear(View(a.GateUp), View(a.Normed2), w.GateUp, w.GateUpBias);
        var (gate, up) = SplitGateUp(View(a.GateUp));
        device.SwigluForward(View(a.Activated), gate, up);
    }

    private AttentionShape Shape(int layer) =>
        new(Config.NumAttentionHeads, Config.NumKeyValueHeads, Config.HeadDim, Config.SlidingWindows[layer]);

    private Tensor View(Tensor capacity) => capacity.RowRange(0, Rows);

    private (Tensor Q, Tensor K, Tensor V) Split(Tensor qkv)
    {
        int q = Config.NumAttentionHeads * Config.HeadDim, kv = Config.NumKeyValueHeads * Config.HeadDim;
        return (qkv.ColumnRange(0, q), qkv.ColumnRange(q, kv), qkv.ColumnRange(q + kv, kv));
    }

    private Tensor QueriesAndKeys(Tensor qkv) =>
        qkv.ColumnRange(0, (Config.NumAttentionHeads + Config.NumKeyValueHeads) * Config.HeadDim);

    private (Tensor Query, Tensor Key) SplitRaw(LayerActivations a)
    {
        int q = Config.NumAttentionHeads * Config.HeadDim, kv = Config.NumKeyValueHeads * Config.HeadDim;
        return (View(a.RawQk).ColumnRange(0, q), View(a.RawQk).ColumnRange(q, kv));
    }

    private (Tensor Gate, Tensor Up) SplitGateUp(Tensor gateUp) =>
        (gateUp.ColumnRange(0, Config.IntermediateSize), gateUp.ColumnRange(Config.IntermediateSize, Config.IntermediateSize));
}
