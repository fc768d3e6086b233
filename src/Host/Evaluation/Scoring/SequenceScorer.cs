using System.Runtime.InteropServices;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Evaluation.Scoring;

/// <summary>Log-probabilities of given tokens under a model. Memory is planned once; sequences are packed without pads.</summary>
public sealed class SequenceScorer : IDisposable
{
    /// <summary>Rows of a pass, unless one sequence has more: enough to keep a device busy.</summary>
    private const int PassRows = 2048;

    private readonly ModelParameters weights;
    private readonly Device device;
    private readonly Transformer model;
    private readonly AttentionPlan plan;
    private readonly Indices idCapacity;
    private readonly Indices rowCapacity;
    private readonly Indices targetCapacity;
    private readonly Tensor selected;
    private readonly Tensor losses;
    private readonly Tensor logits;
    private readonly ScoringBatch batch = new();
    private readonly int maxRows;

    /// <param name="weights">Weights on their device.</param>
    /// <param name="maxTokens">Most tokens of a sequence.</param>
    public SequenceScorer(ModelParameters weights, int maxTokens)
    {
        this.weights = weights;
        device = weights.Device;
        MaxTokens = maxTokens;
        maxRows = Math.Max(maxTokens, PassRows);
        int rows = maxRows + device.BatchInvariantRows, v = weights.Config.VocabSize;
        model = new Transformer(weights, rows, maxTokens, ParameterUse.Inference);
        plan = new AttentionPlan(device, rows, rows);
        idCapacity = device.AllocateIndices(rows, MemoryCategory.Batch);
        rowCapacity = device.AllocateIndices(rows, MemoryCategory.Batch);
        targetCapacity = device.AllocateIndices(rows, MemoryCategory.Batch);
        selected = device.AllocateTensor(BufferKind.Compute, rows, weights.Config.HiddenSize, MemoryCategory.CrossEntropy);
        losses = device.AllocateTensor(BufferKind.State, 1, rows, MemoryCategory.CrossEntropy);
        logits = device.StoresLogits(selected, weights.Head.Value) ? device.AllocateLogits(v) : default;
    }

    public int MaxTokens { get; }

    /// <summary>
    /// Scores groups of sequences as they come. What the sequences of a group begin with together is computed once.
    /// </summary>
    /// <param name="groups">Sequences of 2 tokens or more, at most <see cref="MaxTokens"/> of them.</param>
    /// <param name="stop">Ends the enumeration.</param>
    /// <returns>For each group, in order: the natural log-probability of every target of each sequence.</returns>
    public IEnumerable<float[][]> Score(IEnumerable<IReadOnlyList<TokenSequence>> groups, CancellationToken stop = default)
    {
        var sizes = new Queue<int>();
        var results = new List<float[]>();
        batch.Clear();
        foreach (var group in groups)
        {
            stop.ThrowIfCancellationRequested();
            bool fits = ScoringBatch.RowsOf(group) <= maxRows && group.Sum(sequence => sequence.Targets) <= maxRows;
            // A group too large for a pass is taken apart; its shared beginning then runs once a sequence.
            var parts = fits ? [group] : group.Select(IReadOnlyList<TokenSequence> (sequence) => [sequence]).ToArray();
            foreach (var part in parts)
            {
                int targets = part.Sum(sequence => sequence.Targets);
                if (batch.Ids.Count > 0 && (batch.Ids.Count + ScoringBatch.RowsOf(part) > maxRows || batch.Targets.Count + targets > maxRows))
                    results.AddRange(Run());
                batch.Add(part);
            }

            sizes.Enqueue(group.Count);
            foreach (var done in Finished(sizes, results)) yield return done;
        }

        if (batch.Ids.Count > 0) results.AddRange(Run());
        foreach (var done in Finished(sizes, results)) yield return done;
    }

    /// <summary>Scores single sequences as they come.</summary>
    /// <inheritdoc cref="Score(IEnumerable{IReadOnlyList{TokenSequence}}, CancellationToken)"/>
    public IEnumerable<float[]> Score(IEnumerable<TokenSequence> sequences, CancellationToken stop = default) =>
        Score(sequences.Select(IReadOnlyList<TokenSequence> (sequence) => [sequence]), stop).Select(group => group[0]);

    public void Dispose()
    {
        model.Dispose();
        plan.Dispose();
        idCapacity.Buffer.Dispose();
        rowCapacity.Buffer.Dispose();
        targetCapacity.Buffer.Dispose();
        selected.Buffer.Dispose();
        losses.Buffer.Dispose();
        logits.Buffer?.Dispose();
    }

    private static InputException NotFinite() => new(
        "model", "a log-probability is not a finite number", "a model whose logits are numbers", "check that its training did not diverge");

    private static IEnumerable<float[][]> Finished(Queue<int> sizes, List<float[]> results)
    {
        while (sizes.TryPeek(out int size) && size <= results.Count)
        {
            sizes.Dequeue();
            float[][] group = [.. results.Take(size)];
            results.RemoveRange(0, size);
            yield return group;
        }
    }

    /// <summary>Runs the batch and empties it.</summary>
    private List<float[]> Run()
    {
        int scored = batch.Targets.Count;
        int[] counts = [.. batch.Counts];
        batch.PadTo(device.BatchInvariantRows);
        int n = batch.Targets.Count;
        var (ids, rows, targets) = (idCapacity.Range(0, batch.Ids.Count), rowCapacity.Range(0, n), targetCapacity.Range(0, n));
        plan.Load(CollectionsMarshal.AsSpan(batch.Segments), CollectionsMarshal.AsSpan(batch.Positions));
        device.Upload(CollectionsMarshal.AsSpan(batch.Ids), ids);
        device.Upload(CollectionsMarshal.AsSpan(batch.TargetRows), rows);
        device.Upload(CollectionsMarshal.AsSpan(batch.Targets), targets);
        model.Forward(ids, plan);
        device.GatherRows(selected.RowRange(0, n), model.FinalNormed, rows);
        device.LinearCrossEntropy(losses.ColumnRange(0, n), selected.RowRange(0, n), weights.Head.Value, targets, 1, default, default, logits);
        var host = new float[scored];
        device.Download(losses.ColumnRange(0, scored), host);
        batch.Clear();
        if (Array.Exists(host, loss => !float.IsFinite(loss))) throw NotFinite();
        var results = new List<float[]>(counts.Length);
        int at = 0;
        foreach (int count in counts)
        {
            results.Add([.. host.AsSpan(at, count).ToArray().Select(loss => -loss)]);
            at += count;
        }

        return results;
    }
}
