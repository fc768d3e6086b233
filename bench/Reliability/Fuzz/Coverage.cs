using System.Runtime.InteropServices;

namespace RepNoise.Reliability;

/// <summary>The counters of instrumented code, one a branch, and which of them have been seen in which magnitude.</summary>
internal sealed unsafe class Coverage
{
    /// <summary>SharpFuzz's: branches are numbered modulo this.</summary>
    public const int Size = 1 << 16;

    private readonly byte* counters = (byte*)NativeMemory.AllocZeroed(Size);
    private readonly byte[] seen = new byte[Size];

    /// <summary>Where the instrumented code counts.</summary>
    public byte* Counters => counters;

    /// <summary>Branches seen so far.</summary>
    public int Branches => seen.Count(bits => bits != 0);

    /// <summary>Forgets what was seen.</summary>
    public Coverage Restart()
    {
        seen.AsSpan().Clear();
        return this;
    }

    public void Clear() => new Span<byte>(counters, Size).Clear();

    /// <summary>True where a branch was taken for the first time, or far more often than before.</summary>
    public bool HasNew()
    {
        bool found = false;
        var counts = new ReadOnlySpan<byte>(counters, Size);
        for (int at = counts.IndexOfAnyExcept((byte)0); at >= 0;)
        {
            byte bit = Magnitude(counts[at]);
            found |= (seen[at] & bit) != bit;
            seen[at] |= bit;
            int next = counts[++at..].IndexOfAnyExcept((byte)0);
            at = next < 0 ? -1 : at + next;
        }

        return found;
    }

    /// <summary>0, 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more, as AFL has them.</summary>
    private static byte Magnitude(byte count) => count switch
    {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        < 8 => 8,
        < 16 => 16,
        < 32 => 32,
        < 128 => 64,
        _ => 128,
    };
}
