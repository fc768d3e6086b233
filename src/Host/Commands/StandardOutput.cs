using Microsoft.Win32.SafeHandles;

namespace RepNoise.Host.Commands;

/// <summary>The reader of standard output has gone (<c>repnoise ... | head</c>): nothing is wrong, and nothing more needs doing.</summary>
internal sealed class OutputClosedException(IOException inner) : IOException("standard output was closed", inner);

/// <summary>
/// Standard output that tells when its reader has gone. The console stream of .NET swallows that error, and a command would
/// compute on for nobody.
/// </summary>
internal sealed class StandardOutput(Stream inner) : Stream
{
    /// <summary>errno EPIPE, which IOException carries in HResult on Unix.</summary>
    private const int BrokenPipe = 32;

    /// <summary>The process's standard output.</summary>
    public static Stream Open()
    {
        if (OperatingSystem.IsWindows())
        {
            return Console.OpenStandardOutput();
        }

        // A file has no reader that could go, and FileStream would write at a position of its own, over what others append.
        var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return stream.CanSeek ? Console.OpenStandardOutput() : new StandardOutput(stream);
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() => inner.Flush();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            inner.Write(buffer);
        }
        catch (IOException error) when (error.HResult == BrokenPipe)
        {
            throw new OutputClosedException(error);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
