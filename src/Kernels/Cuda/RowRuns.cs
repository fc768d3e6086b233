using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Row numbers sorted into runs of equal ones, each in the order in which its rows are added: what <see cref="Device.ScatterAddRows"/> reads on the device.
/// Lies beside a buffer of row numbers from the first time that it is scattered by, and is released with it. Each later upload of numbers brings their runs along, so that
/// the operation itself sends nothing: within a captured stretch it could not.
/// </summary>
internal sealed class RowRuns : IDisposable
{
    private const int RunWords = 2; // of embedding.cu: the row, and where its run begins

    private readonly DeviceBuffer memory;
    private Indices sorted;
    private long[] keys = [];

    private RowRuns(DeviceBuffer numbers) =>
        memory = numbers.Device.Allocate(BufferKind.Index, (RunWords * (numbers.Length + 1)) + numbers.Length, numbers.Category);

    /// <summary>Number of runs: of different rows.</summary>
    public int Count { get; private set; }

    /// <summary>The runs and one more, which ends the last; then the order.</summary>
    public AcceleratorBuffer Memory => (AcceleratorBuffer)memory;

    /// <summary>Device address of the runs.</summary>
    public nint Runs => Memory.Pointer;

    /// <summary>Device address of the order: the occurrences of each run, run after run.</summary>
    public nint Order => Memory.Pointer + (RunWords * (Count + 1) * sizeof(int));

    /// <summary>Those beside the buffer of <paramref name="rows"/>, made where there are none yet; planned ones have no memory.</summary>
    public static RowRuns Beside(Indices rows) => (RowRuns)(rows.Buffer.Companion ??= new RowRuns(rows.Buffer));

    /// <summary>True where the runs are those of just these numbers.</summary>
    public bool Are(Indices rows) => sorted == rows;

    /// <summary>Sorts the host's copy of row numbers.</summary>
    /// <returns>What is to be uploaded, and where to.</returns>
    public (ReadOnlyMemory<int> Words, Indices Target) Sort(Indices rows)
    {
        var numbers = ((AcceleratorBuffer)rows.Buffer).HostIndices.AsSpan((int)rows.Offset, rows.Count);
        if (keys.Length < rows.Count) keys = new long[rows.Buffer.Length];
        for (int r = 0; r < numbers.Length; r++) keys[r] = ((long)numbers[r] << 32) | (uint)r;
        var inOrder = keys.AsSpan(0, rows.Count);
        inOrder.Sort();
        int[] words = Memory.HostIndices;
        Count = 0;
        for (int i = 0; i < inOrder.Length; i++)
        {
            int row = (int)(inOrder[i] >> 32);
            if (i > 0 && row == words[(Count - 1) * RunWords]) continue;
            (words[Count * RunWords], words[(Count * RunWords) + 1]) = (row, i);
            Count++;
        }

        int length = RunWords * (Count + 1);
        (words[length - 2], words[length - 1]) = (0, rows.Count);
        foreach (long key in inOrder) words[length++] = (int)key;
        sorted = rows;
        return (words.AsMemory(0, length), Indices.Of(memory, length));
    }

    public void Dispose() => memory.Dispose();
}
