using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>
/// Generates text for a batch of prompts of any lengths, unpadded, with a key/value cache. Memory is planned once for the
/// largest batch and length.
/// </summary>
public sealed class Generator : IDisposable
{
    private readonly ModelParameters weights;
    private readonly Device device;
    private readonly Transformer model;
    private readonly KeyValueCache cache;
    private readonly AttentionPlan plan;
    private readonly Indices idCapacity;
    private readonly Indices lastRowCapacity;
    private readonly Tensor lastHidden;
    private readonly Tensor logits;
    private readonly float[] hostLogits;
    private readonly int maxSequences;
    private readonly int maxTokens;

    /// <param name="weights">Weights on their device.</param>
    /// <param name="maxSequences">Most prompts of a batch.</param>
    /// <param name="maxTokens">Most tokens of a sequence, prompt and continuation.</param>
    public Generator(ModelParameters weights, int maxSequences, int maxTokens)
    {
        (this.weights, this.maxSequences, this.maxTokens) = (weights, maxSequences, maxTokens);
        device = weights.Device;
        int rows = maxSequences * maxTokens, v = weights.Config.VocabSize;
        model = new Transformer(weights, rows, maxTokens, ParameterUse.Inference);
        cache = new KeyValueCache(weights.Config, device, maxSequences, maxTokens);
        plan = new AttentionPlan(device, maxSequences, rows);
        idCapacity = device.AllocateIndices(rows, MemoryCategory.Batch);
        lastRowCapacity = device.AllocateIndices(maxSequences, MemoryCategory.Batch);
        lastHidden = device.AllocateTensor(BufferKind.Compute, maxSequences, weights.Config.HiddenSize, MemoryCategory.Workspace);
        logits = device.AllocateTensor(BufferKind.Compute, maxSequences, v, MemoryCategory.Logits);
        hostLogits = new float[maxSequences * v];
    }

    /// <summary>Continues each prompt until an end id, or <paramref name="maxNewTokens"/>, or the planned length.</summary>
    /// <param name="prompts">At most the planned number of prompts, each with at least one token.</param>
    /// <param name="maxNewTokens">Most tokens to add.</param>
    /// <param name="sampling">How tokens are chosen.</param>
    /// <param name="endIds">Ids that end a text; the end id itself is not returned.</param>
    /// <param name="onToken">Told each new token (sequence, id) as it comes, or null.</param>
    /// <param name="firstStream">Number of the first prompt's random stream, where prompts come one batch after another.</param>
    /// <param name="stop">Ends all texts where they stand.</param>
    /// <returns>The new tokens of each prompt.</returns>
    public IReadOnlyList<int[]> Generate(
        IReadOnlyList<int[]> prompts, int maxNewTokens, SamplingOptions sampling, IReadOnlyCollection<int> endIds,
        Action<int, int>? onToken = null, int firstStream = 0, CancellationToken stop = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(prompts.Count, maxSequences, nameof(prompts));
        cache.Clear();
        var sampler = new TokenSampler(sampling, weights.Config.VocabSize);
        var texts = prompts.Select((p, i) => new Text(p, Math.Min(maxNewTokens, maxTokens - p.Length), sampler.Stream(firstStream + i))).ToArray();
        while (texts.Any(t => t.Pending.Length > 0) && !stop.IsCancellationRequested)
        {
            var running = Forward(texts);
            for (int r = 0; r < running.Count; r++)
            {
                var text = texts[running[r]];
                int id = sampler.Choose(hostLogits.AsSpan(r * weights.Config.VocabSize, weights.Config.VocabSize), ref text.Random);
                if (text.Append(id, endIds)) onToken?.Invoke(running[r], id);
            }
        }

        return [.. texts.Select(t => t.Added.ToArray())];
    }

    public void Dispose()
    {
        model.Dispose();
        cache.Dispose();
        plan.Dispose();
        idCapacity.Buffer.Dispose();
        lastRowCapacity.Buffer.Dispose();
        lastHidden.Buffer.Dispose();
        logits.Buffer.Dispose();
    }

    /// <summary>Runs all pending tokens; afterwards row r of the logits belongs to the r-th running text.</summary>
    private List<int> Forward(Text[] texts)
    {
        var running = new List<int>();
        var ids = new List<int>();
        var lastRows = new List<int>();
        var counts = new int[maxSequences];
        for (int b = 0; b < texts.Length; b++)
        {
            if (texts[b].Pending.Length == 0) continue;
            counts[b] = texts[b].Pending.Length;
            ids.AddRange(texts[b].Pending);
            lastRows.Add(ids.Count - 1);
            running.Add(b);
        }

        var (segments, positions) = cache.Plan(counts);
        plan.Load(segments, positions);
        var deviceIds = idCapacity.Range(0, ids.Count);
        device.Upload(ids.ToArray(), deviceIds);
        model.Forward(deviceIds, plan, store: cache);
        cache.Commit();
        var rows = lastRowCapacity.Range(0, running.Count);
        device.Upload(lastRows.ToArray(), rows);
        device.GatherRows(lastHidden.RowRange(0, running.Count), model.FinalNormed, rows);
        model.Logits(logits.RowRange(0, running.Count), lastHidden.RowRange(0, running.Count));
        device.Download(logits.RowRange(0, running.Count), hostLogits.AsSpan(0, running.Count * weights.Config.VocabSize));
        return running;
    }

    /// <summary>One text as it grows.</summary>
    private sealed class Text(int[] prompt, int maxNewTokens, PhiloxSequence random)
    {
        public PhiloxSequence Random = random;

        /// <summary>Tokens that the next forward takes; none once the text has ended.</summary>
        public int[] Pending { get; private set; } = maxNewTokens > 0 ? prompt : [];

        public List<int> Added { get; } = [];

        /// <summary>Takes a token; false where it ended the text instead.</summary>
        public bool Append(int id, IReadOnlyCollection<int> endIds)
        {
            bool ended = endIds.Contains(id);
            if (!ended) Added.Add(id);
            Pending = ended || Added.Count >= maxNewTokens ? [] : [id];
            return !ended;
        }
    }
}
