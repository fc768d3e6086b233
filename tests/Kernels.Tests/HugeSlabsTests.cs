using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests;

/// <summary>Pieces never overlap, are zero, and what is given back is used again.</summary>
public sealed unsafe class HugeSlabsTests
{
    private const long Least = 64 << 10;

    [Fact]
    public void Pieces_are_zero_and_keep_what_is_written_whatever_comes_and_goes()
    {
        var slabs = new HugeSlabs();
        var random = new Random(3);
        List<(nint Memory, long Bytes, byte Mark)> held = [];
        for (int i = 0; i < 600; i++)
        {
            if (held.Count > 40 || (held.Count > 0 && random.Next(2) == 0)) Release(slabs, held, random.Next(held.Count));
            long bytes = random.NextInt64(Least, NativePages.LeastHuge);
            Assert.True(slabs.TryAllocate(bytes, out void* memory));
            Assert.Equal(0, (long)memory % 64);
            var span = new Span<byte>(memory, (int)bytes);
            Assert.False(span.ContainsAnyExcept((byte)0));
            byte mark = (byte)(1 + random.Next(255));
            span.Fill(mark);
            held.Add(((nint)memory, bytes, mark));
        }

        while (held.Count > 0) Release(slabs, held, held.Count - 1);
        Assert.InRange(slabs.SlabCount, 0, 1);
    }

    [Fact]
    public void Pieces_of_a_shorter_life_do_not_take_more_and_more()
    {
        var slabs = new HugeSlabs();
        Assert.True(slabs.TryAllocate(Least, out void* first));
        var places = new HashSet<nint>();
        for (int round = 0; round < 50; round++)
        {
            Assert.True(slabs.TryAllocate(3 << 20, out void* one));
            Assert.True(slabs.TryAllocate(2 << 20, out void* other));
            places.Add((nint)one);
            slabs.Free(one);
            slabs.Free(other);
        }

        slabs.Free(first);
        Assert.Single(places);
        Assert.Equal(1, slabs.SlabCount);
    }

    [Theory]
    [InlineData(Least - 1, false)]
    [InlineData(Least, true)]
    [InlineData((4 << 20) - 1, true)]
    [InlineData(4 << 20, false)]
    public void Only_middle_sizes_share_pages(long bytes, bool suits) => Assert.Equal(suits, HugeSlabs.Suits(bytes));

    private static void Release(HugeSlabs slabs, List<(nint Memory, long Bytes, byte Mark)> held, int index)
    {
        var (memory, bytes, mark) = held[index];
        Assert.False(new ReadOnlySpan<byte>((void*)memory, (int)bytes).ContainsAnyExcept(mark));
        slabs.Free((void*)memory);
        held.RemoveAt(index);
    }
}
