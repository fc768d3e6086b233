namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Memory for buffers of less than a few huge pages: pieces of large blocks, so that they lie in huge pages too and none is rounded up
/// to one. Activations of a layer are such buffers; a product walks through hundreds of their small pages. A block goes back to the
/// system with the last of its pieces; the space of one is used again when all pieces behind it are gone, as those of an evaluation
/// within a run are.
/// </summary>
internal sealed unsafe class HugeSlabs
{
    /// <summary>Bytes of a block; what no piece has touched takes no memory.</summary>
    public const long SlabBytes = 32L << 20;

    private readonly Lock gate = new();
    private readonly Dictionary<nint, Slab> slabOf = [];
    private Slab? current;

    /// <summary>One for the process: devices come and go, and their buffers are alike.</summary>
    public static HugeSlabs Shared { get; } = new();

    /// <summary>Blocks that are held.</summary>
    public int SlabCount
    {
        get
        {
            lock (gate) return slabOf.Values.Append(current).OfType<Slab>().Distinct().Count();
        }
    }

    /// <summary>True for sizes that are worth it: more than a few small pages, less than has huge pages of its own.</summary>
    public static bool Suits(long bytes) => bytes is >= 64 << 10 and < NativePages.LeastHuge;

    /// <summary>Zeros from the start of a cache line on; false where the machine has not that much memory.</summary>
    /// <param name="bytes">A size that <see cref="Suits"/>.</param>
    /// <param name="memory">The first byte.</param>
    public bool TryAllocate(long bytes, out void* memory)
    {
        long size = NativePages.SizeOf(bytes);
        lock (gate)
        {
            memory = null;
            if (current is null || current.Used + size > SlabBytes)
            {
                if (!NativePages.TryReserve(SlabBytes, out void* start)) return false;
                current = new Slab(start);
            }

            memory = (byte*)current.Start + current.Used;
            current.Used += size;
            current.Pieces.Push((nint)memory);
            slabOf.Add((nint)memory, current);
        }

        NativePages.Clear(memory, bytes);
        return true;
    }

    /// <summary>Gives back what <see cref="TryAllocate"/> handed out.</summary>
    public void Free(void* memory)
    {
        lock (gate)
        {
            slabOf.Remove((nint)memory, out var slab);
            while (slab!.Pieces.TryPeek(out nint last) && !slabOf.ContainsKey(last))
                slab.Used = slab.Pieces.Pop() - (nint)slab.Start;
            if (slab.Pieces.Count == 0 && slab != current) NativePages.Free(slab.Start);
        }
    }

    /// <summary>A block, and the pieces in it, those given back too while others lie behind them.</summary>
    private sealed class Slab(void* start)
    {
        public readonly void* Start = start;
        public readonly Stack<nint> Pieces = [];
        public long Used;
    }
}
