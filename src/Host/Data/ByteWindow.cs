namespace RepNoise.Host.Data;

/// <summary>A sliding view of a stream that grows only as far as one item needs it to, up to a limit.</summary>
internal sealed class ByteWindow(Stream stream, int limit)
{
    // Small to begin with, so that growth runs on every ordinary file and not only on hostile ones.
    private byte[] buffer = new byte[16 << 10];
    private int start;
    private int end;

    /// <summary>What came of an attempt to see more of the stream.</summary>
    public enum Progress
    {
        More,
        EndOfStream,
        LimitReached,
    }

    /// <summary>The bytes at hand; valid until the next <see cref="Fill"/>.</summary>
    public ReadOnlyMemory<byte> Data => buffer.AsMemory(start, end - start);

    public void Skip(int count) => start += count;

    /// <summary>Extends <see cref="Data"/> by at least one byte unless the stream or the limit is reached.</summary>
    public Progress Fill()
    {
        int length = end - start;
        if (start > 0)
        {
            buffer.AsSpan(start, length).CopyTo(buffer);
            (start, end) = (0, length);
        }
        if (length == buffer.Length)
        {
            if (length >= limit)
                return Progress.LimitReached;
            Array.Resize(ref buffer, (int)Math.Min(limit, 2L * length));
        }
        int read = stream.Read(buffer, end, buffer.Length - end);
        end += read;
        return read > 0 ? Progress.More : Progress.EndOfStream;
    }
}
