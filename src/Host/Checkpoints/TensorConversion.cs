using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Little-endian tensor bytes to numbers. Integers convert exactly to long; to float and double as the language's casts do.
/// </summary>
internal static class TensorConversion
{
    /// <returns>False where <paramref name="type"/> cannot be read as float.</returns>
    public static bool TryConvert(DType type, ReadOnlySpan<byte> bytes, Span<float> destination)
    {
        switch (type)
        {
            case DType.F32:
                bytes.CopyTo(MemoryMarshal.AsBytes(destination));
                return true;
            case DType.F16:
                HalfPrecision.FromFloat16(MemoryMarshal.Cast<byte, ushort>(bytes), destination);
                return true;
            case DType.BF16:
                HalfPrecision.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(bytes), destination);
                return true;
            case DType.F64:
                return Cast<double, float>(bytes, destination);
            default:
                return TryConvertInteger(type, bytes, destination);
        }
    }

    /// <returns>False where <paramref name="type"/> cannot be read as double.</returns>
    public static bool TryConvert(DType type, ReadOnlySpan<byte> bytes, Span<double> destination)
    {
        switch (type)
        {
            case DType.F64:
                bytes.CopyTo(MemoryMarshal.AsBytes(destination));
                return true;
            case DType.F32:
                return Cast<float, double>(bytes, destination);
            case DType.F16:
                return Cast<Half, double>(bytes, destination);
            case DType.BF16:
                var values = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (int i = 0; i < values.Length; i++)
                {
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)values[i] << 16);
                }

                return true;
            default:
                return TryConvertInteger(type, bytes, destination);
        }
    }

    /// <returns>False where <paramref name="type"/> is not an integer or boolean that fits a long.</returns>
    public static bool TryConvert(DType type, ReadOnlySpan<byte> bytes, Span<long> destination) =>
        TryConvertInteger(type, bytes, destination);

    private static bool TryConvertInteger<T>(DType type, ReadOnlySpan<byte> bytes, Span<T> destination)
        where T : unmanaged, INumberBase<T> => type switch
        {
            DType.I64 => Cast<long, T>(bytes, destination),
            DType.I32 => Cast<int, T>(bytes, destination),
            DType.U32 => Cast<uint, T>(bytes, destination),
            DType.I16 => Cast<short, T>(bytes, destination),
            DType.U16 => Cast<ushort, T>(bytes, destination),
            DType.I8 => Cast<sbyte, T>(bytes, destination),
            DType.U8 or DType.Bool => Cast<byte, T>(bytes, destination),
            _ => false,
        };

    private static bool Cast<TFrom, TTo>(ReadOnlySpan<byte> bytes, Span<TTo> destination)
        where TFrom : unmanaged, INumberBase<TFrom>
        where TTo : unmanaged, INumberBase<TTo>
    {
        TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, TFrom>(bytes), destination);
        return true;
    }
}
