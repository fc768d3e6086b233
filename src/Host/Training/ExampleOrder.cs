using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// The order in which examples are visited: a fresh permutation for each pass over the data, a function of (seed, purpose,
/// epoch), so that any position can be computed without what came before it; or the data's own order again and again.
/// </summary>
public sealed class ExampleOrder
{
    private readonly int[] permutation;
    private readonly ulong seed;
    private readonly PhiloxPurpose purpose;
    private readonly bool shuffles;
    private long epoch = -1;

    /// <param name="count">Number of examples, at least one.</param>
    /// <param name="seed">The run's data seed.</param>
    /// <param name="purpose">Tells the orders of two data sets apart.</param>
    /// <param name="shuffles">False keeps the data's order.</param>
    public ExampleOrder(int count, ulong seed, PhiloxPurpose purpose, bool shuffles = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        permutation = new int[count];
        (this.seed, this.purpose, this.shuffles) = (seed, purpose, shuffles);
    }

    public int Count => permutation.Length;

    /// <summary>The example at a position of the endless sequence of passes.</summary>
    public int At(long position)
    {
        long wanted = position / Count;
        if (wanted != epoch)
        {
            for (int i = 0; i < Count; i++) permutation[i] = i;
            if (shuffles) new PhiloxSequence(seed, purpose, (ulong)wanted).Shuffle(permutation);
            epoch = wanted;
        }

        return permutation[position % Count];
    }
}
