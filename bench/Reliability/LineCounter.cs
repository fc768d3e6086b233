namespace RepNoise.Reliability;

/// <summary>Counts the lines of a file that grows: each byte is read once, so that whoever looks often does not slow down the writer.</summary>
/// <param name="path">The file, which may come to be later.</param>
internal sealed class LineCounter(string path)
{
    private readonly byte[] buffer = new byte[1 << 16];
    private long read;
    private int lines;

    /// <summary>Ended lines so far.</summary>
    public int Count()
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            stream.Position = read;
            for (int length; (length = stream.Read(buffer)) > 0; read += length) lines += buffer.AsSpan(0, length).Count((byte)'\n');
        }
        catch (IOException)
        {
            // It is not there yet.
        }

        return lines;
    }
}
