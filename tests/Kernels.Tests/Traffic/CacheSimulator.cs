namespace RepNoise.Kernels.Tests.Traffic;

/// <summary>
/// One core's cache as the model of traffic has it: lines of 64 bytes, the least recently used one goes first, a store fetches its line.
/// Counts what is fetched and what is written back.
/// </summary>
internal sealed class CacheSimulator
{
    private const int LineShift = 6;

    // Lines touched within so many touches are not moved to the front again: no cache here is as small.
    private const int Recent = 64;
    private const int Filter = 256;

    private readonly Dictionary<long, int> slots = [];
    private readonly long[] numbers;
    private readonly bool[] isDirty;
    private readonly int[] newer;
    private readonly int[] older;
    private readonly (long Number, long Time, bool IsDirty)[] recent = new (long, long, bool)[Filter];
    private int newest = -1;
    private int oldest = -1;
    private long time;
    private long fetched;
    private long written;

    public CacheSimulator(long bytes)
    {
        int lines = (int)(bytes >> LineShift);
        (numbers, isDirty, newer, older) = (new long[lines], new bool[lines], new int[lines], new int[lines]);
    }

    /// <summary>Gets the loads and stores of <see cref="TracedLanes"/> on this thread.</summary>
    [field: ThreadStatic]
    public static CacheSimulator? Current { get; set; }

    /// <summary>All that crossed, with what is still to be written back.</summary>
    public long Bytes => (fetched + written + isDirty.Count(dirty => dirty)) << LineShift;

    public unsafe void Touch(void* address, int count, bool isStore)
    {
        long first = (long)address >> LineShift, last = ((long)address + count - 1) >> LineShift;
        for (long line = first; line <= last; line++) Touch(line, isStore);
    }

    private void Touch(long number, bool isStore)
    {
        time++;
        ref var known = ref recent[number % Filter];
        if (known.Number == number && time - known.Time < Recent && (known.IsDirty || !isStore)) return;
        if (slots.TryGetValue(number, out int slot))
        {
            Unlink(slot);
        }
        else
        {
            fetched++;
            slot = slots.Count < numbers.Length ? slots.Count : Evict();
            numbers[slot] = number;
            slots.Add(number, slot);
        }

        isDirty[slot] |= isStore;
        known = (number, time, isDirty[slot]);
        (older[slot], newer[slot]) = (newest, -1);
        if (newest >= 0) newer[newest] = slot;
        else oldest = slot;
        newest = slot;
    }

    private int Evict()
    {
        int slot = oldest;
        Unlink(slot);
        slots.Remove(numbers[slot]);
        if (isDirty[slot]) written++;
        isDirty[slot] = false;
        return slot;
    }

    private void Unlink(int slot)
    {
        if (newer[slot] >= 0) older[newer[slot]] = older[slot];
        else newest = older[slot];
        if (older[slot] >= 0) newer[older[slot]] = newer[slot];
        else oldest = newer[slot];
    }
}
