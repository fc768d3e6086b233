using System.Runtime.InteropServices;

namespace RepNoise.Host.Tokenizers;

/// <summary>Rank and result of every pair that merges, by the two ids.</summary>
internal sealed class BpeMerges(int capacity)
{
    private readonly Dictionary<Pair, (int Rank, int Id)> merges = new(capacity);

    /// <summary>A pair that is given twice keeps its later rank.</summary>
    public void Add(int left, int right, int rank, int id) => merges[new Pair(left, right)] = (rank, id);

    public bool TryGet(int left, int right, out (int Rank, int Id) merge) => merges.TryGetValue(new Pair(left, right), out merge);

    /// <summary>
    /// Mixes the ids by a multiplication. A ulong's own hash is the exclusive or of its halves, under which every pair of equal
    /// ids collides: a million spaces took 11 s that way.
    /// </summary>
    private readonly record struct Pair(int Left, int Right)
    {
        public override int GetHashCode() => (int)(((((ulong)(uint)Left << 32) | (uint)Right) * 0x9E3779B97F4A7C15) >> 32);
    }
}

/// <summary>
/// The symbols of one word while they merge: a linked list in arrays and a heap of candidate merges, O(n log n) in the word's
/// length. Reused for many words by one thread.
/// </summary>
internal sealed class BpeWord
{
    private const int None = -1;

    /// <summary>Words of up to this many symbols keep their buffers: some 2 MB a thread.</summary>
    private const int KeptSymbols = 1 << 16;

    private readonly List<Symbol> symbols = [];

    /// <summary>Candidates by rank, then by place, in one key; with each, the id it would give, to recognise a stale one.</summary>
    private readonly PriorityQueue<int, ulong> queue = new();

    private readonly List<(int Id, ulong Key)> initial = [];

    public bool IsLarge => symbols.Capacity > KeptSymbols;

    public void Clear() => symbols.Clear();

    public void Add(int id) => symbols.Add(new Symbol(id, symbols.Count - 1, symbols.Count + 1));

    /// <summary>Merges all that merges and appends the ids that remain.</summary>
    public void MergeAll(BpeMerges merges, List<int> result)
    {
        if (symbols.Count == 0)
            return;
        var list = CollectionsMarshal.AsSpan(symbols);
        list[^1].Next = None;
        for (int i = 0; i < list.Length - 1; i++)
        {
            if (merges.TryGet(list[i].Id, list[i + 1].Id, out var merge))
                initial.Add((merge.Id, Key(merge.Rank, i)));
        }
        // All at once: a heap is built from n candidates in O(n).
        queue.EnqueueRange(initial);
        initial.Clear();
        while (queue.TryDequeue(out int id, out ulong key))
            Merge(list, merges, (int)(uint)key, id);
        for (int i = 0; i != None; i = list[i].Next)
            result.Add(list[i].Id);
    }

    private void Merge(Span<Symbol> list, BpeMerges merges, int place, int id)
    {
        ref var left = ref list[place];
        if (left.Removed || left.Next == None)
            return;
        ref var right = ref list[left.Next];
        // The pair may have changed since it was offered; the Rust library looks only at what it would merge into.
        if (!merges.TryGet(left.Id, right.Id, out var merge) || merge.Id != id)
            return;
        left.Id = id;
        left.Next = right.Next;
        right.Removed = true;
        if (left.Next != None)
            list[left.Next].Previous = place;
        if (left.Previous != None)
            Offer(list, merges, left.Previous);
        Offer(list, merges, place);
    }

    private void Offer(Span<Symbol> list, BpeMerges merges, int place)
    {
        int next = list[place].Next;
        if (next != None && merges.TryGet(list[place].Id, list[next].Id, out var merge))
            queue.Enqueue(merge.Id, Key(merge.Rank, place));
    }

    private static ulong Key(int rank, int place) => ((ulong)(uint)rank << 32) | (uint)place;

    private struct Symbol(int id, int previous, int next)
    {
        public int Id = id;
        public int Previous = previous;
        public int Next = next;
        public bool Removed;
    }
}
