namespace RepNoise.Host.Data;

/// <summary>
/// A micro-batch as one matrix of N token rows with its attention segments and loss terms.
/// Every array is sized once, from a <see cref="PackedBatchCapacity"/>, and refilled by a packer without allocation; only the first
/// <see cref="RowCount"/>, <see cref="SegmentCount"/>, ... elements count.
/// </summary>
/// <remarks>
/// Pairs come first, each as up to three neighbouring segments of one group: the shared prompt, the harmful answer and the
/// harmless answer, both with the prompt as context. Plain sequences (retain examples, fine-tuning texts) follow, one segment each.
/// </remarks>
public sealed partial class PackedBatch
{
    private readonly TargetList lens;
    private readonly string[] places;
    private bool ownLens;

    public PackedBatch(PackedBatchCapacity capacity)
    {
        Capacity = capacity;
        Ids = new int[capacity.Rows];
        Positions = new int[capacity.Rows];
        Segments = new Segment[capacity.Segments];
        places = new string[capacity.Groups];
        PairIndex = new int[capacity.Pairs];
        MmdRows = new int[capacity.MmdRows];
        MmdPairs = new int[capacity.MmdRows];
        MmdPositions = new int[capacity.MmdRows];
        MmdRowAt = new int[capacity.Pairs * capacity.FrameLength];
        Stability = new TargetList(capacity.StabilityTargets);
        AscentFinal = new TargetList(capacity.AscentTargets);
        lens = new TargetList(capacity.LensTargets);
        NextToken = new TargetList(capacity.NextTokenTargets);
    }

    public PackedBatchCapacity Capacity { get; }

    /// <summary>(N) token ids.</summary>
    public int[] Ids { get; }

    /// <summary>(N) positions, counted from 0 in each padded sequence.</summary>
    public int[] Positions { get; }

    /// <summary>N, rows in use.</summary>
    public int RowCount { get; private set; }

    public Segment[] Segments { get; }

    public int SegmentCount { get; private set; }

    /// <summary>Pairs and sequences in use: <see cref="Segment.Group"/> is below it.</summary>
    public int GroupCount { get; private set; }

    /// <summary>Real tokens that a padded run would read: a shared prompt counts in both of its texts.</summary>
    public int TokenCount { get; internal set; }

    /// <summary>B, pairs in use.</summary>
    public int PairCount { get; private set; }

    /// <summary>(B) each pair's index in the data, which its noise is keyed by.</summary>
    public int[] PairIndex { get; }

    /// <summary>Final logits of the harmless pass on harmless ids.</summary>
    public TargetList Stability { get; }

    /// <summary>Final logits of the harmful pass on harmful ids.</summary>
    public TargetList AscentFinal { get; }

    /// <summary>The same for each hidden state under the lens: the same list, unless the mask is off for the final logits.</summary>
    public TargetList AscentLens => ownLens ? lens : AscentFinal;

    /// <summary>Cross-entropy on plain sequences: the retain examples beside pairs, or the texts of a fine-tuning batch.</summary>
    public TargetList NextToken { get; }

    /// <summary>Rows of the harmful pass that enter the MMD, ordered by position and then pair.</summary>
    public int[] MmdRows { get; }

    /// <summary>The pair of each, 0 to B-1.</summary>
    public int[] MmdPairs { get; }

    /// <summary>The position of each in the padded frame.</summary>
    public int[] MmdPositions { get; }

    public int MmdCount { get; private set; }

    /// <summary>File and line of the pair or sequence with this group number.</summary>
    public string Place(int group) => places[group];

    /// <summary>(B, frame length) scratch: the MMD's row at each position, or -1.</summary>
    internal int[] MmdRowAt { get; }

    /// <summary>Refuses windows that leave a pad without a key; cheap enough to run on every batch.</summary>
    /// <param name="windows">Each layer's sliding window; null for layers that see everything.</param>
    /// <exception cref="WindowException">The last key before a pad is out of a layer's window.</exception>
    public void CheckWindows(IReadOnlyList<int?> windows)
    {
        for (int s = 0; s < SegmentCount; s++)
        {
            ref readonly var segment = ref Segments[s];
            if (segment.KeyCount == segment.QueryCount)
                continue;
            int lastKey = segment.FirstPosition + segment.ContextCount + segment.KeyCount - 1;
            int lastQuery = Positions[segment.QueryRow + segment.QueryCount - 1];
            for (int layer = 0; layer < windows.Count; layer++)
            {
                if (windows[layer] is { } window && lastQuery - lastKey >= window)
                    throw new WindowException(places[segment.Group], layer, window, lastQuery - lastKey);
            }
        }
    }
}
