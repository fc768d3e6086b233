using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>
/// Generates text for any number of prompts of any lengths, unpadded, with a key/value cache: as many at a time as there are
/// slots, and a slot that becomes free takes the next prompt. Memory is planned once.
/// <para>A text depends on its prompt and its random stream alone. Where the device promises it
/// (<see cref="Device.BatchInvariantRows"/>) that holds to the bit: passes of fewer rows are filled up with rows that nobody reads. On
/// a processor that makes the products of a lone text's step 2 (4096 columns, from memory) to 6 times (512, from cache) slower, so whoever wants
/// one text alone may do without.</para>
/// </summary>
public sealed class Generator : IDisposable
{
    /// <summary>
    /// Most rows of a pass, unless a single prompt needs more: a prefill of this many rows keeps any device busy, and its
    /// activations stay small beside the weights.
    /// </summary>
    private const int PassRows = 2048;

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
    private readonly int slots;
    private readonly int leastRows;
    private readonly int maxTokens;
    private readonly int maxRows;
    private int passes;

    /// <param name="weights">Weights on their device.</param>
    /// <param name="maxSequences">Texts that grow at a time.</param>
    /// <param name="maxTokens">Most tokens of a sequence, prompt and continuation.</param>
    /// <param name="batchInvariant">False leaves passes of few rows as they are: faster, and texts may depend on the batch by rounding.</param>
    public Generator(ModelParameters weights, int maxSequences, int maxTokens, bool batchInvariant = true)
    {
        (this.weights, slots, this.maxTokens) = (weights, maxSequences, maxTokens);
        device = weights.Device;
        leastRows = batchInvariant ? device.BatchInvariantRows : 0;
        int v = weights.Config.VocabSize, heads = Math.Max(maxSequences, leastRows);
        maxRows = (int)Math.Max(maxTokens + (long)maxSequences, Math.Min((long)maxSequences * maxTokens, PassRows));
        int rows = maxRows + leastRows;
        model = new Transformer(weights, rows, maxTokens, ParameterUse.Inference);
        cache = new KeyValueCache(weights.Config, device, maxSequences, maxTokens);
        plan = new AttentionPlan(device, maxSequences + 1, rows);
        idCapacity = device.AllocateIndices(rows, MemoryCategory.Batch);
        lastRowCapacity = device.AllocateIndices(heads, MemoryCategory.Batch);
        lastHidden = device.AllocateTensor(BufferKind.Compute, heads, weights.Config.HiddenSize, MemoryCategory.Workspace);
        logits = device.AllocateTensor(BufferKind.Compute, heads, v, MemoryCategory.Logits);
        hostLogits = new float[checked(maxSequences * v)];
    }

    /// <summary>Sees the logits (V) that each token is chosen from, with the prompt's index; null for none.</summary>
    internal Action<int, ReadOnlyMemory<float>>? OnLogits { get; set; }

    /// <summary>Continues each prompt until an end id, or <paramref name="maxNewTokens"/>, or the planned length.</summary>
    /// <param name="prompts">Prompts, each with at least one token and at most the planned length.</param>
    /// <param name="maxNewTokens">Most tokens to add.</param>
    /// <param name="sampling">How tokens are chosen.</param>
    /// <param name="endIds">Ids that end a text; the end id itself is not returned.</param>
    /// <param name="onToken">Told each new token (prompt, id) as it comes, or null.</param>
    /// <param name="onEnd">Told each prompt whose text has ended, or null.</param>
    /// <param name="firstStream">Number of the first prompt's random stream, where prompts come one call after another.</param>
    /// <param name="stop">Ends all texts where they stand.</param>
    /// <returns>The new tokens of each prompt.</returns>
    public IReadOnlyList<int[]> Generate(
        IReadOnlyList<int[]> prompts, int maxNewTokens, SamplingOptions sampling, IReadOnlyCollection<int> endIds,
        Action<int, int>? onToken = null, Action<int>? onEnd = null, int firstStream = 0, CancellationToken stop = default)
    {
        cache.Clear();
        var sampler = new TokenSampler(sampling, weights.Config.VocabSize);
        var texts = prompts.Select((p, i) => new Text(i, p, Math.Min(maxNewTokens, maxTokens - p.Length), sampler.Stream(firstStream + i))).ToArray();
        foreach (var text in texts.Where(text => !text.IsOpen)) onEnd?.Invoke(text.Index);
        var waiting = new Queue<Text>(texts.Where(text => text.IsOpen));
        var running = new Text?[slots];
        while (!stop.IsCancellationRequested && Admit(waiting, running))
        {
            var passed = Forward(running);
            for (int r = 0; r < passed.Count; r++)
            {
                var text = running[passed[r]]!;
                var row = hostLogits.AsMemory(r * weights.Config.VocabSize, weights.Config.VocabSize);
                OnLogits?.Invoke(text.Index, row);
                sampler.Penalize(row.Span, text.Seen);
                int id = sampler.Choose(row.Span, ref text.Random);
                if (!float.IsFinite(row.Span[id])) throw NotFinite();
                if (text.Append(id, endIds)) onToken?.Invoke(text.Index, id);
                if (text.IsOpen) continue;
                running[passed[r]] = null;
                onEnd?.Invoke(text.Index);
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

    private static InputException NotFinite() => new(
        "model", "a logit is not a finite number", "a model whose logits are numbers", "check that its training did not diverge");

    /// <summary>Gives free slots to waiting prompts, in their order, while the pass has rows for them; false once there is nothing to run.</summary>
    private bool Admit(Queue<Text> waiting, Text?[] running)
    {
        int rows = running.Sum(text => text?.Pending.Length ?? 0);
        for (int slot = 0; slot < slots && waiting.Count > 0; slot++)
        {
            if (running[slot] is not null) continue;
            if (rows + waiting.Peek().Pending.Length > maxRows) break;
            cache.Clear(slot);
            running[slot] = waiting.Dequeue();
            rows += running[slot]!.Pending.Length;
        }

        return rows > 0;
    }

    /// <summary>Runs all pending tokens; afterwards row r of the logits belongs to the r-th slot of the returned list.</summary>
    private List<int> Forward(Text?[] running)
    {
        var passed = new List<int>();
        var ids = new List<int>();
        var lastRows = new List<int>();
        var counts = new int[slots];
        for (int slot = 0; slot < slots; slot++)
        {
            if (running[slot] is not { } text) continue;
            counts[slot] = text.Pending.Length;
            ids.AddRange(text.Pending);
            lastRows.Add(ids.Count - 1);
            passed.Add(slot);
        }

        int pads = Math.Max(0, leastRows - ids.Count);
        ids.AddRange(Enumerable.Repeat(ids[^1], pads));
        while (lastRows.Count < leastRows) lastRows.Add(lastRows[^1]);
        using var step = device.Scope(Phase.Step, ++passes);
        using var pass = device.Scope(Phase.Pass);
        var (segments, positions) = cache.Plan(counts, pads);
        plan.Load(segments, positions);
        var deviceIds = idCapacity.Range(0, ids.Count);
        device.Upload(ids.ToArray(), deviceIds);
        device.Show("ids", ids.ToArray());
        model.Forward(deviceIds, plan, store: cache);
        cache.Commit();
        Logits([.. lastRows], passed.Count);
        return passed;
    }

    /// <summary>Logits of some rows of the pass; the first <paramref name="count"/> go to the host.</summary>
    private void Logits(int[] lastRows, int count)
    {
        var rows = lastRowCapacity.Range(0, lastRows.Length);
        device.Upload(lastRows, rows);
        device.GatherRows(lastHidden.RowRange(0, lastRows.Length), model.FinalNormed, rows);
        using var head = device.Scope(Phase.Forward);
        model.Logits(logits.RowRange(0, lastRows.Length), lastHidden.RowRange(0, lastRows.Length));
        device.Show("logits", logits.RowRange(0, count));
        device.Download(logits.RowRange(0, count), hostLogits.AsSpan(0, count * weights.Config.VocabSize));
    }

    /// <summary>One text as it grows.</summary>
    private sealed class Text(int index, int[] prompt, int maxNewTokens, PhiloxSequence random)
    {
        public PhiloxSequence Random = random;

        public int Index { get; } = index;

        /// <summary>Tokens that the next forward takes; none once the text has ended.</summary>
        public int[] Pending { get; private set; } = maxNewTokens > 0 ? prompt : [];

        public bool IsOpen => Pending.Length > 0;

        public List<int> Added { get; } = [];

        /// <summary>Every id of the prompt and of what was added, once.</summary>
        public HashSet<int> Seen { get; } = [.. prompt];

        /// <summary>Takes a token; false where it ended the text instead.</summary>
        public bool Append(int id, IReadOnlyCollection<int> endIds)
        {
            bool ended = endIds.Contains(id);
            if (!ended) Added.Add(id);
            Seen.Add(id);
            Pending = ended || Added.Count >= maxNewTokens ? [] : [id];
            return !ended;
        }
    }
}
