using CsCheck;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Tests.Checkpoints;

public class HalfPrecisionTests
{
    private static readonly ushort[] AllBits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];

    [Fact]
    public void Every_float16_survives_float32_bit_for_bit()
    {
        float[] wide = new float[AllBits.Length];
        ushort[] back = new ushort[AllBits.Length];
        HalfPrecision.FromFloat16(AllBits, wide);
        HalfPrecision.ToFloat16(wide, back);
        for (int i = 0; i < AllBits.Length; i++)
        {
            var half = BitConverter.UInt16BitsToHalf(AllBits[i]);
            Assert.Equal((float)half, wide[i]);
            Assert.True(Half.IsNaN(half) ? Half.IsNaN(BitConverter.UInt16BitsToHalf(back[i])) : back[i] == AllBits[i], $"0x{i:x4}");
        }
    }

    [Fact]
    public void Every_bfloat16_survives_float32_bit_for_bit()
    {
        float[] wide = new float[AllBits.Length];
        ushort[] back = new ushort[AllBits.Length];
        HalfPrecision.FromBFloat16(AllBits, wide);
        HalfPrecision.ToBFloat16(wide, back);
        for (int i = 0; i < AllBits.Length; i++)
        {
            Assert.Equal((uint)i << 16, BitConverter.SingleToUInt32Bits(wide[i]));
            if (float.IsNaN(wide[i]))
            {
                // Quiet, with sign and the rest of its payload.
                Assert.Equal(AllBits[i] | 0x40, back[i]);
            }
            else
            {
                Assert.Equal(AllBits[i], back[i]);
            }
        }
    }

    [Theory]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void Narrowing_takes_the_nearest_value_and_the_even_one_of_two(DType type)
    {
        // The oracle searches both neighbours in float64, where all of them and all distances are exact.
        float[] values = new float[65536];
        Widen(type, AllBits, values);
        float[] finite = [.. values.Where(float.IsFinite).Where(v => v >= 0 && !float.IsNegative(v)).Order()];
        Gen.UInt.Select(BitConverter.UInt32BitsToSingle).Where(float.IsFinite)
            .Select(Gen.Int[0, finite.Length - 2], Gen.Int[0, 3], (any, at, kind) => kind switch
            {
                0 => any,
                1 => (float)((finite[at] + (double)finite[at + 1]) / 2),
                2 => MathF.BitIncrement((float)((finite[at] + (double)finite[at + 1]) / 2)),
                _ => MathF.BitDecrement(finite[at + 1]),
            })
            .Where(v => MathF.Abs(v) < HalfPrecision.OverflowLimit(type))
            .ForAll(seed: 1, 20_000, v =>
            {
                int index = Array.BinarySearch(finite, MathF.Abs(v));
                float low = index >= 0 ? finite[index] : finite[~index - 1], high = index >= 0 ? low : ~index < finite.Length ? finite[~index] : low;
                double down = MathF.Abs(v) - (double)low, up = high - (double)MathF.Abs(v);
                float nearest = down < up || (down == up && (Narrow(type, low) & 1) == 0) ? low : high;
                Assert.Equal(MathF.CopySign(nearest, v), Widen(type, Narrow(type, v)));
            });
    }

    [Theory]
    [InlineData(DType.F16, 65504f)]
    [InlineData(DType.BF16, 3.3895314e38f)]
    public void The_overflow_limit_is_the_first_magnitude_that_becomes_infinite(DType type, float largest)
    {
        float limit = HalfPrecision.OverflowLimit(type);
        Assert.Equal(float.PositiveInfinity, Widen(type, Narrow(type, limit)));
        Assert.Equal(float.NegativeInfinity, Widen(type, Narrow(type, -limit)));
        Assert.Equal(largest, Widen(type, Narrow(type, MathF.BitDecrement(limit))));
    }

    [Theory]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void Vector_and_scalar_paths_agree_at_every_length(DType type)
    {
        float[] source = [.. Enumerable.Range(0, 200).Select(i => MathF.Sin(i) * MathF.Pow(10, i % 9 - 5))];
        for (int length = 0; length < 140; length++)
        {
            ushort[] narrow = new ushort[length + 1];
            narrow[length] = 0xabcd;
            Narrow(type, source.AsSpan(0, length), narrow.AsSpan(0, length));
            Assert.Equal(source[..length].Select(v => Narrow(type, v)), narrow[..length]);
            Assert.Equal(0xabcd, narrow[length]);
        }
    }

    private static ushort Narrow(DType type, float value)
    {
        ushort[] bits = new ushort[1];
        Narrow(type, [value], bits);
        return bits[0];
    }

    private static void Narrow(DType type, ReadOnlySpan<float> values, Span<ushort> bits)
    {
        if (type == DType.F16)
        {
            HalfPrecision.ToFloat16(values, bits);
        }
        else
        {
            HalfPrecision.ToBFloat16(values, bits);
        }
    }

    private static float Widen(DType type, ushort bits)
    {
        float[] value = new float[1];
        Widen(type, [bits], value);
        return value[0];
    }

    private static void Widen(DType type, ReadOnlySpan<ushort> bits, Span<float> values)
    {
        if (type == DType.F16)
        {
            HalfPrecision.FromFloat16(bits, values);
        }
        else
        {
            HalfPrecision.FromBFloat16(bits, values);
        }
    }
}
