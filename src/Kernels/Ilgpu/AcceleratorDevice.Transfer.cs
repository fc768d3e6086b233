using System.Runtime.InteropServices;
using ILGPU.Runtime;
using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>Copies between host values and device memory, converted on the host, through pinned memory, in pieces that fit it.</summary>
public abstract partial class AcceleratorDevice
{
    /// <summary>Writes values in a format to bytes.</summary>
    private delegate void Pack<T>(ReadOnlySpan<T> source, Span<byte> target, NumberFormat format);

    /// <summary>Reads values in a format from bytes.</summary>
    private delegate void Unpack<T>(ReadOnlySpan<byte> source, Span<T> target, NumberFormat format);

    protected override void UploadCore(ReadOnlySpan<float> source, Tensor target) => Upload(source, target, PackFloats);

    protected override void UploadCore(ReadOnlySpan<double> source, Tensor target) => Upload(source, target, PackDoubles);

    protected override void UploadCore(ReadOnlySpan<int> source, Indices target)
    {
        var buffer = (AcceleratorBuffer)target.Buffer;
        source.CopyTo(buffer.HostIndices.AsSpan((int)target.Offset, target.Count));
        SendRun(source, buffer, target.Offset, static (from, to, _) => MemoryMarshal.AsBytes(from).CopyTo(to));
    }

    protected override void DownloadCore(Tensor source, Span<float> target) => Download(source, target, UnpackFloats);

    protected override void DownloadCore(Tensor source, Span<double> target) => Download(source, target, UnpackDoubles);

    private void Upload<T>(ReadOnlySpan<T> source, Tensor target, Pack<T> pack)
    {
        var buffer = (AcceleratorBuffer)target.Buffer;
        var (runs, length) = Runs(target);
        for (int run = 0; run < runs; run++) SendRun(source.Slice(run * length, length), buffer, target.Offset + (long)run * target.RowStride, pack);
    }

    private void Download<T>(Tensor source, Span<T> target, Unpack<T> unpack)
    {
        var buffer = (AcceleratorBuffer)source.Buffer;
        var (runs, length) = Runs(source);
        for (int run = 0; run < runs; run++)
            ReceiveRun(buffer, source.Offset + (long)run * source.RowStride, target.Slice(run * length, length), unpack);
    }

    /// <summary>Consecutive stretches of a tensor: one where it is dense, else one a row.</summary>
    private static (int Runs, int Length) Runs(Tensor tensor) =>
        tensor.IsDense ? (1, (int)tensor.Length) : (tensor.Rows, tensor.Columns);

    private void SendRun<T>(ReadOnlySpan<T> source, AcceleratorBuffer buffer, long offset, Pack<T> pack)
    {
        int size = buffer.Format.Size(), most = HostStaging.Bytes / size;
        InterruptCapture();
        try
        {
            for (int start = 0; start < source.Length; start += most)
            {
                int count = Math.Min(most, source.Length - start);
                pack(source.Slice(start, count), staging.Reserve(count * size), buffer.Format);
                staging.Send(buffer.Range(offset + start, count));
            }
        }
        catch (AcceleratorException e)
        {
            throw Failed(e);
        }
    }

    private void ReceiveRun<T>(AcceleratorBuffer buffer, long offset, Span<T> target, Unpack<T> unpack)
    {
        int size = buffer.Format.Size(), most = HostStaging.Bytes / size;
        InterruptCapture();
        try
        {
            for (int start = 0; start < target.Length; start += most)
            {
                int count = Math.Min(most, target.Length - start);
                unpack(staging.Receive(buffer.Range(offset + start, count)), target.Slice(start, count), buffer.Format);
            }
        }
        catch (AcceleratorException e)
        {
            throw Failed(e);
        }
    }

    private static void PackFloats(ReadOnlySpan<float> source, Span<byte> target, NumberFormat format)
    {
        switch (format)
        {
            case NumberFormat.Float32: MemoryMarshal.AsBytes(source).CopyTo(target); break;
            case NumberFormat.BFloat16:
                var words = MemoryMarshal.Cast<byte, ushort>(target);
                for (int i = 0; i < source.Length; i++) words[i] = ToBFloat16(source[i]);
                break;
            default:
                var doubles = MemoryMarshal.Cast<byte, double>(target);
                for (int i = 0; i < source.Length; i++) doubles[i] = source[i];
                break;
        }
    }

    private static void PackDoubles(ReadOnlySpan<double> source, Span<byte> target, NumberFormat format)
    {
        switch (format)
        {
            case NumberFormat.Float32:
                var floats = MemoryMarshal.Cast<byte, float>(target);
                for (int i = 0; i < source.Length; i++) floats[i] = (float)source[i];
                break;
            case NumberFormat.BFloat16:
                var words = MemoryMarshal.Cast<byte, ushort>(target);
                for (int i = 0; i < source.Length; i++) words[i] = ToBFloat16((float)source[i]);
                break;
            default: MemoryMarshal.AsBytes(source).CopyTo(target); break;
        }
    }

    private static void UnpackFloats(ReadOnlySpan<byte> source, Span<float> target, NumberFormat format)
    {
        switch (format)
        {
            case NumberFormat.Float32: source.CopyTo(MemoryMarshal.AsBytes(target)); break;
            case NumberFormat.BFloat16:
                var words = MemoryMarshal.Cast<byte, ushort>(source);
                for (int i = 0; i < target.Length; i++) target[i] = FromBFloat16(words[i]);
                break;
            default:
                var doubles = MemoryMarshal.Cast<byte, double>(source);
                for (int i = 0; i < target.Length; i++) target[i] = (float)doubles[i];
                break;
        }
    }

    private static void UnpackDoubles(ReadOnlySpan<byte> source, Span<double> target, NumberFormat format)
    {
        switch (format)
        {
            case NumberFormat.Float32:
                var floats = MemoryMarshal.Cast<byte, float>(source);
                for (int i = 0; i < target.Length; i++) target[i] = floats[i];
                break;
            case NumberFormat.BFloat16:
                var words = MemoryMarshal.Cast<byte, ushort>(source);
                for (int i = 0; i < target.Length; i++) target[i] = FromBFloat16(words[i]);
                break;
            default: source.CopyTo(MemoryMarshal.AsBytes(target)); break;
        }
    }

    private static ushort ToBFloat16(float value) => (ushort)(BitConverter.SingleToUInt32Bits(BFloat16Rounding.Round(value)) >> 16);

    private static float FromBFloat16(ushort word) => BitConverter.UInt32BitsToSingle((uint)word << 16);
}
