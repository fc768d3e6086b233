namespace RepNoise.Host.Data;

/// <summary>
/// In which order the data is drawn: one endless sequence in which every epoch is a permutation of all items, a function of
/// (seed, epoch) alone. Position k belongs to epoch k / Count; so a run resumes anywhere without replaying what came before.
/// </summary>
/// <remarks>
/// The definition, so that other programs can reproduce it: a SplitMix64 generator starts from state
/// mix(seed + 0x9e3779b97f4a7c15) xor epoch, and Fisher-Yates runs over 0..Count-1: for i = Count-1 down to 1, swap i with j, where j is
/// uniform in 0..i, drawn as r mod (i + 1) from the first 64-bit output r below the largest multiple of i + 1 (no modulo bias).
/// </remarks>
/// <param name="count">Items, at least 1.</param>
/// <param name="seed"><c>data_seed</c>.</param>
/// <param name="shuffle">False draws the items as they stand, in every epoch.</param>
public sealed class DataOrder(int count, ulong seed, bool shuffle = true)
{
    private readonly int[] _epoch =
        new int[count > 0 ? count : throw new ArgumentOutOfRangeException(nameof(count), "There are no items to order.")];

    private long _current = -1;

    public int Count => _epoch.Length;

    /// <summary>Batches of an epoch, the last incomplete one included.</summary>
    public long BatchesPerEpoch(int batchSize) => (Count + (long)batchSize - 1) / batchSize;

    /// <summary>
    /// The item indices of batch <paramref name="number"/>, counted over all epochs. A batch stays within its epoch: the last one
    /// may be smaller (<c>dataloader_drop_last</c> is false). Valid until the next call; allocates nothing.
    /// </summary>
    public ReadOnlySpan<int> Batch(long number, int batchSize)
    {
        long perEpoch = BatchesPerEpoch(batchSize);
        var order = Epoch(number / perEpoch);
        int first = (int)(number % perEpoch * batchSize);
        return order.Slice(first, Math.Min(batchSize, Count - first));
    }

    /// <summary>
    /// Fills <paramref name="items"/> with the sequence from <paramref name="position"/> on, across the ends of epochs: for
    /// retain examples, of which every step takes the same number.
    /// </summary>
    public void Draw(long position, Span<int> items)
    {
        for (int i = 0; i < items.Length; i++, position++)
            items[i] = Epoch(position / Count)[(int)(position % Count)];
    }

    /// <summary>The permutation of one epoch; valid until the next call.</summary>
    public ReadOnlySpan<int> Epoch(long epoch)
    {
        if (epoch == _current)
            return _epoch;
        for (int i = 0; i < Count; i++)
            _epoch[i] = i;
        ulong state = Mix(seed + Increment) ^ (ulong)epoch;
        for (int i = Count - 1; shuffle && i > 0; i--)
        {
            int j = Uniform(ref state, (ulong)i + 1);
            (_epoch[i], _epoch[j]) = (_epoch[j], _epoch[i]);
        }
        _current = epoch;
        return _epoch;
    }

    private const ulong Increment = 0x9e3779b97f4a7c15;

    private static int Uniform(ref ulong state, ulong bound)
    {
        // 2^64 mod bound outputs at the top would make small results likelier.
        ulong excess = ((ulong.MaxValue % bound) + 1) % bound;
        ulong r;
        do
            r = Mix(state += Increment);
        while (r > ulong.MaxValue - excess);
        return (int)(r % bound);
    }

    /// <summary>SplitMix64's output function (Steele, Lea and Flood, 2014; Vigna's constants).</summary>
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
