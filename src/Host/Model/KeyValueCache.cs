using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>
/// Keys and values of sequences that grow token by token: for each layer one matrix in which sequence b owns rows
/// b * capacity to (b + 1) * capacity - 1.
/// </summary>
public sealed class KeyValueCache : IKeyValueStore, IDisposable
{
    private readonly Device device;
    private readonly Tensor[] keyCache;
    private readonly Tensor[] valueCache;
    private readonly int capacity;
    private readonly int[] lengths;
    private readonly int[] incoming;

    /// <param name="config">Layers and head layout.</param>
    /// <param name="device">Where the cache lives.</param>
    /// <param name="sequences">Number of sequences.</param>
    /// <param name="capacity">Most tokens of a sequence.</param>
    public KeyValueCache(ModelConfig config, Device device, int sequences, int capacity)
    {
        (this.device, this.capacity) = (device, capacity);
        int width = config.NumKeyValueHeads * config.HeadDim;
        keyCache = [.. Enumerable.Range(0, config.NumHiddenLayers)
            .Select(_ => device.AllocateTensor(BufferKind.Compute, sequences * capacity, width, MemoryCategory.Cache))];
        valueCache = [.. Enumerable.Range(0, config.NumHiddenLayers)
            .Select(_ => device.AllocateTensor(BufferKind.Compute, sequences * capacity, width, MemoryCategory.Cache))];
        lengths = new int[sequences];
        incoming = new int[sequences];
    }

    /// <summary>Tokens of a sequence that are cached.</summary>
    public int Length(int sequence) => lengths[sequence];

    /// <summary>Forgets all sequences.</summary>
    public void Clear() => Array.Clear(lengths);

    /// <summary>Forgets one sequence.</summary>
    public void Clear(int sequence) => lengths[sequence] = 0;

    /// <summary>
    /// Announces the next forward: <paramref name="counts"/>[b] new tokens of sequence b, in order of b. Returns the segments
    /// and positions that its attention needs; sequences without new tokens have none.
    /// </summary>
    /// <param name="counts">New tokens of each sequence.</param>
    /// <param name="pads">Further rows after these, which look at the last sequence's keys and leave nothing in the cache.</param>
    public (AttentionSegment[] Segments, int[] Positions) Plan(ReadOnlySpan<int> counts, int pads = 0)
    {
        counts.CopyTo(incoming);
        var segments = new List<AttentionSegment>();
        var positions = new List<int>();
        for (int b = 0; b < counts.Length; b++)
        {
            if (counts[b] == 0) continue;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(lengths[b] + counts[b], capacity, nameof(counts));
            segments.Add(new AttentionSegment
            {
                QueryRow = positions.Count,
                QueryCount = counts[b],
                KeyRow = b * capacity,
                KeyCount = lengths[b] + counts[b],
            });
            for (int i = 0; i < counts[b]; i++) positions.Add(lengths[b] + i);
        }

        if (pads > 0)
        {
            segments.Add(segments[^1] with { QueryRow = positions.Count, QueryCount = pads });
            positions.AddRange(Enumerable.Repeat(positions[^1], pads));
        }

        return ([.. segments], [.. positions]);
    }

    /// <summary>Counts the announced tokens as cached, after the forward.</summary>
    public void Commit()
    {
        for (int b = 0; b < lengths.Length; b++)
        {
            lengths[b] += incoming[b];
            incoming[b] = 0;
        }
    }

    /// <inheritdoc/>
    public (Tensor Keys, Tensor Values) Store(int layer, Tensor keys, Tensor values)
    {
        for (int b = 0, row = 0; b < incoming.Length; row += incoming[b++])
        {
            if (incoming[b] == 0) continue;
            int at = b * capacity + lengths[b];
            device.Copy(keyCache[layer].RowRange(at, incoming[b]), keys.RowRange(row, incoming[b]));
            device.Copy(valueCache[layer].RowRange(at, incoming[b]), values.RowRange(row, incoming[b]));
        }

        return (keyCache[layer], valueCache[layer]);
    }

    public void Dispose()
    {
        foreach (var tensor in keyCache.Concat(valueCache)) tensor.Buffer.Dispose();
    }
}
