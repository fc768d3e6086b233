namespace RepNoise.Host.Data;

/// <summary>
/// A <see cref="TargetList"/> in which entries of equal token and equal target are one, with their number. What is computed from a token
/// alone, such as the lens on the embedding, is equal for them: above all for the pads of a shorter answer.
/// </summary>
/// <param name="capacity">Most entries of the list.</param>
public sealed class DistinctTargets(int capacity)
{
    private readonly int[] rows = new int[capacity];
    private readonly int[] targets = new int[capacity];
    private readonly int[] repeats = new int[capacity];
    private readonly Dictionary<(int Token, int Target), int> places = new(capacity);

    /// <summary>Distinct entries.</summary>
    public int Length { get; private set; }

    /// <summary>(Length) the first row of the batch with each.</summary>
    public ReadOnlySpan<int> Rows => rows.AsSpan(0, Length);

    /// <summary>(Length) target ids.</summary>
    public ReadOnlySpan<int> Targets => targets.AsSpan(0, Length);

    /// <summary>(Length) how many entries of the list each one stands for.</summary>
    public ReadOnlySpan<int> Repeats => repeats.AsSpan(0, Length);

    /// <summary>Takes a list; order is that of first appearance. Nothing is allocated.</summary>
    /// <param name="list">At most the capacity's entries.</param>
    /// <param name="ids">Token ids of the batch's rows.</param>
    public void Load(TargetList list, ReadOnlySpan<int> ids)
    {
        places.Clear();
        Length = 0;
        for (int i = 0; i < list.Length; i++)
        {
            var (row, target) = (list.Rows[i], list.Targets[i]);
            if (places.TryAdd((ids[row], target), Length)) (rows[Length], targets[Length], repeats[Length++]) = (row, target, 1);
            else repeats[places[(ids[row], target)]]++;
        }
    }
}
