namespace RepNoise.Host.Benchmarks;

/// <summary>
/// Values of operands as a function of place: evenly spread over the 256 multiples of 1/64 from -2 up to 2, which float32 and
/// bfloat16 hold exactly, so that every device starts from the same numbers.
/// </summary>
internal static class Pattern
{
    private const float Step = 1f / 64;

    /// <summary>The value at a place of the tensor with this number.</summary>
    public static float At(int tensor, int row, int column) => ((int)(Mix(tensor, row, column) >> 24) - 128) * Step;

    /// <summary>A whole number below <paramref name="limit"/>.</summary>
    public static int IndexAt(int tensor, int place, int limit) => (int)(Mix(tensor, place, 0) % (uint)limit);

    /// <summary>Mixes three numbers into 32 bits in which each bit depends on all of them (Wellons, lowbias32).</summary>
    private static uint Mix(int tensor, int row, int column)
    {
        uint h = (uint)row * 0x9E3779B1u + (uint)column * 0x85EBCA77u + (uint)tensor * 0xC2B2AE3Du;
        h = (h ^ (h >> 16)) * 0x7FEB352Du;
        h = (h ^ (h >> 15)) * 0x846CA68Bu;
        return h ^ (h >> 16);
    }
}
