namespace RepNoise.Host.Data;

/// <summary>
/// A Parquet file that does not let its reader go on behind a column's last page. Where a page yields fewer values than its header
/// claims, the library takes whatever follows for another page, which nobody has checked; it seeks to where it looks for one.
/// </summary>
/// <param name="inner">The file; stays the caller's.</param>
/// <param name="ends">Where the pages of a column end and no other column's begin.</param>
internal sealed class PageStream(Stream inner, IReadOnlySet<long> ends) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => inner.Position = value;
    }

    /// <exception cref="FormatException">A column ends there.</exception>
    public override long Seek(long offset, SeekOrigin origin) => origin == SeekOrigin.Begin && ends.Contains(offset)
        ? throw new FormatException($"the pages of the column that ends at {offset} hold fewer values than they claim")
        : inner.Seek(offset, origin);

    public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

    public override int Read(Span<byte> buffer) => inner.Read(buffer);

    public override int ReadByte() => inner.ReadByte();

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
