using System.Runtime.InteropServices;
using RepNoise.Host.Evaluation.Scoring;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Evaluation.Probing;

/// <summary>What is looked at in one text: its tokens, those of the answer that are scored, and the rows of the noise term's mask.</summary>
/// <param name="Ids">Tokens.</param>
/// <param name="FirstTarget">First token of the answer whose probability is taken, or the text's length for none.</param>
/// <param name="MaskedRows">Positions at which MLP outputs are measured.</param>
public sealed record ProbedSequence(int[] Ids, int FirstTarget, int[] MaskedRows);

/// <summary>
/// Runs texts through a model and keeps, for each depth of the residual stream, the mean activation of each text and what the lens says of
/// the answers, and for each layer the mean square of its MLP's outputs on masked rows. All sums over rows are products on the
/// device; depth 0 is the embedding, depth L the last layer's output. The lens is <c>head(norm(x))</c>, at depth L the model itself.
/// </summary>
public sealed class ActivationPass : IPassObserver, IDisposable
{
    private const int PassRows = 2048;
    private const int PassTexts = 64;

    private readonly ModelParameters weights;
    private readonly Device device;
    private readonly Transformer model;
    private readonly AttentionPlan plan;
    private readonly List<DeviceBuffer> buffers = [];
    private readonly Indices idCapacity;
    private readonly Indices lensRowCapacity;
    private readonly Indices targetCapacity;
    private readonly Indices maskedCapacity;
    private readonly Tensor pooling;
    private readonly Tensor pooled;
    private readonly Tensor selected;
    private readonly Tensor normed;
    private readonly Tensor rstd;
    private readonly Tensor ones;
    private readonly Tensor losses;
    private readonly Tensor logits;
    private readonly float[] hostLogits;
    private readonly ScoringBatch batch = new();
    private readonly List<int> lengths = [];
    private readonly List<int> masked = [];
    private readonly int maxRows;

    /// <param name="weights">Weights on their device.</param>
    /// <param name="maxTokens">Most tokens of a text.</param>
    public ActivationPass(ModelParameters weights, int maxTokens)
    {
        this.weights = weights;
        device = weights.Device;
        maxRows = Math.Max(maxTokens, PassRows);
        int c = weights.Config.HiddenSize, v = weights.Config.VocabSize, chunk = device.LogitsChunkRows(v);
        model = new Transformer(weights, maxRows, maxTokens, ParameterUse.Inference);
        plan = new AttentionPlan(device, PassTexts, maxRows);
        (idCapacity, lensRowCapacity, targetCapacity, maskedCapacity) = (Numbers(), Numbers(), Numbers(), Numbers());
        pooling = Allocate(BufferKind.Compute, PassTexts, maxRows);
        pooled = Allocate(BufferKind.Compute, PassTexts, c);
        selected = Allocate(BufferKind.Compute, maxRows, c);
        normed = Allocate(BufferKind.Compute, maxRows, c);
        rstd = Allocate(BufferKind.State, maxRows, 1);
        ones = Allocate(BufferKind.Compute, 1, c);
        losses = Allocate(BufferKind.State, 1, maxRows);
        logits = Allocate(BufferKind.Compute, chunk, v);
        hostLogits = new float[chunk * v];
        device.Fill(ones, 1);
        int layers = weights.Config.NumHiddenLayers;
        Means = [.. Enumerable.Range(0, layers + 1).Select(_ => new List<float[]>())];
        (LensSums, LensRight, MlpSquares) = (new double[layers + 1], new long[layers + 1], new double[layers]);
    }

    /// <summary>Of each depth 0..L, the mean activation (C) of each text in their order.</summary>
    public IReadOnlyList<List<float[]>> Means { get; }

    /// <summary>Of each depth, the sum of the targets' log-probabilities.</summary>
    public double[] LensSums { get; }

    /// <summary>Of each depth, the number of targets that are the likeliest token.</summary>
    public long[] LensRight { get; }

    /// <summary>Number of targets.</summary>
    public long Targets { get; private set; }

    /// <summary>Of each layer, the sum over masked rows of the mean square of its MLP's output.</summary>
    public double[] MlpSquares { get; }

    /// <summary>Number of masked rows.</summary>
    public long MaskedRows { get; private set; }

    /// <summary>Runs texts, of at least one token each, in as few passes as fit.</summary>
    public void Run(IEnumerable<ProbedSequence> sequences, Action<int>? progress = null, CancellationToken stop = default)
    {
        int done = 0;
        foreach (var sequence in sequences)
        {
            stop.ThrowIfCancellationRequested();
            if (lengths.Count == PassTexts || batch.Ids.Count + sequence.Ids.Length > maxRows) RunBatch();
            Add(sequence);
            progress?.Invoke(++done);
        }

        if (lengths.Count > 0) RunBatch();
    }

    /// <inheritdoc/>
    public void OnHidden(int layer, Tensor hidden)
    {
        var sums = pooled.RowRange(0, lengths.Count);
        device.Matmul(sums, pooling.RowRange(0, lengths.Count).ColumnRange(0, hidden.Rows), hidden, MatmulForm.NN);
        var host = new float[sums.Length];
        device.Download(sums, host);
        for (int i = 0; i < lengths.Count; i++)
            Means[layer].Add([.. host.AsSpan(i * sums.Columns, sums.Columns).ToArray().Select(value => value / lengths[i])]);
        if (batch.Targets.Count > 0) Lens(layer, hidden);
    }

    /// <inheritdoc/>
    public void OnMlpOutput(int layer, Tensor mlp)
    {
        // RMSNorm saves 1 / sqrt(mean square + eps) of every row: the square sum that no operation of the contract gives alone.
        const double eps = 1e-12;
        int n = masked.Count;
        if (n == 0) return;
        device.GatherRows(selected.RowRange(0, n), mlp, maskedCapacity.Range(0, n));
        device.RmsNormForward(normed.RowRange(0, n), rstd.RowRange(0, n), selected.RowRange(0, n), ones, eps);
        var host = new float[n];
        device.Download(rstd.RowRange(0, n), host);
        foreach (float value in host) MlpSquares[layer] += Math.Max(0, 1 / ((double)value * value) - eps);
    }

    public void Dispose()
    {
        model.Dispose();
        plan.Dispose();
        foreach (var buffer in buffers) buffer.Dispose();
    }

    private void Add(ProbedSequence sequence)
    {
        int first = batch.Ids.Count;
        batch.Segments.Add(new AttentionSegment { QueryRow = first, QueryCount = sequence.Ids.Length, KeyRow = first, KeyCount = sequence.Ids.Length });
        for (int i = 0; i < sequence.Ids.Length; i++)
        {
            batch.Ids.Add(sequence.Ids[i]);
            batch.Positions.Add(i);
            if (i < sequence.FirstTarget) continue;
            batch.TargetRows.Add(first + i - 1);
            batch.Targets.Add(sequence.Ids[i]);
        }

        lengths.Add(sequence.Ids.Length);
        masked.AddRange(sequence.MaskedRows.Select(row => first + row));
    }

    private void RunBatch()
    {
        int n = batch.Ids.Count;
        var matrix = new float[lengths.Count * n];
        for (int i = 0, row = 0; i < lengths.Count; row += lengths[i++]) matrix.AsSpan(i * n + row, lengths[i]).Fill(1);
        device.Upload(matrix, pooling.RowRange(0, lengths.Count).ColumnRange(0, n));
        device.Upload(CollectionsMarshal.AsSpan(batch.Ids), idCapacity.Range(0, n));
        device.Upload(CollectionsMarshal.AsSpan(batch.TargetRows), lensRowCapacity.Range(0, batch.Targets.Count));
        device.Upload(CollectionsMarshal.AsSpan(batch.Targets), targetCapacity.Range(0, batch.Targets.Count));
        device.Upload(CollectionsMarshal.AsSpan(masked), maskedCapacity.Range(0, masked.Count));
        plan.Load(CollectionsMarshal.AsSpan(batch.Segments), CollectionsMarshal.AsSpan(batch.Positions));
        model.Forward(idCapacity.Range(0, n), plan, this);
        (Targets, MaskedRows) = (Targets + batch.Targets.Count, MaskedRows + masked.Count);
        batch.Clear();
        lengths.Clear();
        masked.Clear();
    }

    private void Lens(int depth, Tensor hidden)
    {
        int n = batch.Targets.Count;
        var x = normed.RowRange(0, n);
        device.GatherRows(selected.RowRange(0, n), hidden, lensRowCapacity.Range(0, n));
        device.RmsNormForward(x, rstd.RowRange(0, n), selected.RowRange(0, n), weights.FinalNorm.Value, weights.Config.RmsNormEps);
        device.LinearCrossEntropy(losses.ColumnRange(0, n), x, weights.Head.Value, targetCapacity.Range(0, n), 1, default, default, logits);
        var host = new float[n];
        device.Download(losses.ColumnRange(0, n), host);
        foreach (float loss in host) LensSums[depth] -= loss;
        for (int start = 0; start < n; start += logits.Rows)
        {
            int count = Math.Min(logits.Rows, n - start), v = logits.Columns;
            model.Logits(logits.RowRange(0, count), x.RowRange(start, count));
            device.Download(logits.RowRange(0, count), hostLogits.AsSpan(0, count * v));
            for (int i = 0; i < count; i++)
                LensRight[depth] += TokenSampler.ArgMax(hostLogits.AsSpan(i * v, v)) == batch.Targets[start + i] ? 1 : 0;
        }
    }

    private Tensor Allocate(BufferKind kind, int rows, int columns)
    {
        var tensor = device.AllocateTensor(kind, rows, columns, MemoryCategory.Workspace);
        buffers.Add(tensor.Buffer);
        return tensor;
    }

    private Indices Numbers()
    {
        var numbers = device.AllocateIndices(maxRows, MemoryCategory.Batch);
        buffers.Add(numbers.Buffer);
        return numbers;
    }
}
