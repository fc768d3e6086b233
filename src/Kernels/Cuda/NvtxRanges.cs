using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace RepNoise.Kernels.Cuda;

/// <summary>A range of NVTX around every operation, phase and layer, named as they are: <c>Matmul</c>, <c>forward</c>, <c>layer 3</c>.</summary>
internal sealed unsafe class NvtxRanges(NvtxLibrary library) : IOperationObserver
{
    /// <summary>Names as NVTX takes them; few, and kept to the end.</summary>
    private readonly Dictionary<(string Name, int Index), nint> names = [];

    /// <summary>Ranges where a tool of this process takes them, else null.</summary>
    public static NvtxRanges? Create() => NvtxLibrary.Find() is { } library ? new NvtxRanges(library) : null;

    public void BeginOperation(string operation, OpCost cost) => BeginScope(operation, -1);

    public void BeginScope(string name, int index)
    {
        if (!names.TryGetValue((name, index), out nint text)) names.Add((name, index), text = Native(name, index));
        library.Push((byte*)text);
    }

    public void End() => library.Pop();

    private static nint Native(string name, int index) => (nint)Utf8(index < 0 ? name : string.Create(CultureInfo.InvariantCulture, $"{name} {index}"));

    private static byte* Utf8(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        var bytes = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(bytes, length));
        return bytes;
    }
}
