using System.Buffers;
using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// A safetensors file, memory-mapped and read-only: 8 bytes of header length (little-endian), a JSON header, then the
/// tensors' bytes. Opening checks the whole header, so reading tensors afterwards cannot fail on the file's content.
/// Numbers are read through the file, not the mapping: one that another process shortens meanwhile is an exception there. Views
/// of bytes are of the mapping, and reading pages that a shortened file has lost ends this process. Renaming a new file over
/// the old one (as this program does) changes nothing here.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    /// <summary>The reference implementation's limit for headers.</summary>
    internal const long MaxHeaderLength = 100_000_000;

    /// <summary>Elements converted at a time: large enough to cost nothing, small enough to stay in the cache.</summary>
    private const int ConversionChunk = 1 << 17;

    private readonly SafeFileHandle handle;
    private readonly DateTime written;
    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;
    private readonly Dictionary<string, TensorEntry> byName;
    private readonly byte* start;
    private readonly byte* data;
    private bool disposed;

    private SafetensorsFile(string path, FileStream stream)
    {
        Path = path;
        handle = stream.SafeFileHandle;
        (Length, written) = (stream.Length, File.GetLastWriteTimeUtc(handle));
        if (Length < 8)
        {
            throw new SafetensorsException(
                SafetensorsError.TooShort, path, $"the file has {Length} bytes", "at least 8, the header's length",
                "download the file again: it is empty or incomplete");
        }

        map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        view = map.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        byte* mapped = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref mapped);
        start = mapped;
        try
        {
            int headerLength = CheckHeaderLength(new ReadOnlySpan<byte>(start, 8));
            data = start + 8 + headerLength;
            Tensors = SafetensorsHeader.Parse(
                new ReadOnlySpan<byte>(start + 8, headerLength), Length - 8 - headerLength, path, out var metadata);
            Metadata = metadata;
            byName = Tensors.ToDictionary(t => t.Name);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>Every tensor, by its place in the file.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>The header's <c>__metadata__</c>, usually <c>format: pt</c>; empty where absent.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <exception cref="SafetensorsException">The file cannot be read or is malformed; <c>Kind</c> says how.</exception>
    public static SafetensorsFile Open(string path)
    {
        FileStream? stream = null;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            return new SafetensorsFile(path, stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            stream?.Dispose();
            throw new SafetensorsException(
                SafetensorsError.Unreadable, path, $"cannot be read ({Quoted.Plain(e.Message)})", "a readable safetensors file",
                "check the path and its permissions", inner: e);
        }
        catch
        {
            stream?.Dispose();
            throw;
        }
    }

    /// <exception cref="SafetensorsException">The file has no such tensor.</exception>
    public TensorEntry this[string name] => byName.TryGetValue(name, out var entry)
        ? entry
        : throw new SafetensorsException(
            SafetensorsError.MissingTensor, Path, $"has no tensor {Quoted.Name(name)}", $"one of its {Tensors.Count} tensors",
            "check that the file belongs to this model", name);

    public bool Contains(string name) => byName.ContainsKey(name);

    /// <summary>A tensor's bytes, without a copy; valid until <see cref="Dispose"/>.</summary>
    /// <exception cref="SafetensorsException">The file has no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">It is larger than a span can be (2 GB): read it in parts.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        var entry = this[name];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entry.ByteLength, int.MaxValue, nameof(name));
        return Bytes(entry, 0, (int)entry.ByteLength);
    }

    /// <summary>Part of a tensor's bytes, without a copy; valid until <see cref="Dispose"/>.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="offset">First byte, counted from the tensor's start.</param>
    /// <param name="count">Number of bytes.</param>
    public ReadOnlySpan<byte> Bytes(string name, long offset, int count) => Bytes(this[name], offset, count);

    /// <summary>Reads elements as float32: F32, F16 and BF16 exactly; F64 and integers rounded.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="elementOffset">First element in row-major order.</param>
    /// <param name="destination">As many elements are read as it holds.</param>
    /// <exception cref="SafetensorsException">No such tensor, or its dtype (F8, C64, U64) has no reading as float.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    public void ReadInto(string name, long elementOffset, Span<float> destination) =>
        Read(name, elementOffset, destination, TensorConversion.TryConvert, "real numbers");

    /// <summary>Reads elements as float64: every float type exactly; integers rounded.</summary>
    /// <inheritdoc cref="ReadInto(string, long, Span{float})"/>
    public void ReadInto(string name, long elementOffset, Span<double> destination) =>
        Read(name, elementOffset, destination, TensorConversion.TryConvert, "real numbers");

    /// <summary>Reads integer or boolean elements, exactly.</summary>
    /// <inheritdoc cref="ReadInto(string, long, Span{float})"/>
    public void ReadInto(string name, long elementOffset, Span<long> destination) =>
        Read(name, elementOffset, destination, TensorConversion.TryConvert, "integers");

    /// <summary>Tells whether what was read so far is of one piece.</summary>
    /// <exception cref="SafetensorsException">Another process has written to the file since it was opened.</exception>
    public void CheckUnchanged()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (RandomAccess.GetLength(handle) != Length || File.GetLastWriteTimeUtc(handle) != written) throw Changed();
    }

    public void Dispose()
    {
        if (disposed)
        {
            return;
        }

        disposed = true;
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        map.Dispose();
    }

    private delegate bool Converter<T>(DType type, ReadOnlySpan<byte> bytes, Span<T> destination);

    private void Read<T>(string name, long elementOffset, Span<T> destination, Converter<T> convert, string wanted)
    {
        var entry = this[name];
        ArgumentOutOfRangeException.ThrowIfNegative(elementOffset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(elementOffset, entry.Count - destination.Length);
        ObjectDisposedException.ThrowIf(disposed, this);
        int size = entry.DType.Size();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(destination.Length, ConversionChunk) * size);
        try
        {
            while (true)
            {
                var part = destination[..Math.Min(destination.Length, ConversionChunk)];
                var bytes = buffer.AsSpan(0, part.Length * size);
                ReadBytes(entry.Begin + elementOffset * size, bytes);
                if (!convert(entry.DType, bytes, part)) throw WrongDType(name, entry.DType, wanted);
                destination = destination[part.Length..];
                elementOffset += part.Length;
                if (destination.IsEmpty) return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void ReadBytes(long offset, Span<byte> bytes)
    {
        long dataStart = data - start;
        while (bytes.Length > 0)
        {
            int count = RandomAccess.Read(handle, bytes, dataStart + offset);
            if (count == 0) throw Changed();
            offset += count;
            bytes = bytes[count..];
        }
    }

    private SafetensorsException Changed() => new(
        SafetensorsError.Changed, Path, "another program has changed it while it was read", "a file that stays as it is",
        "wait until that program is done, then run the command again");

    private SafetensorsException WrongDType(string name, DType type, string wanted) => new(
        SafetensorsError.WrongDType, Path, $"tensor {Quoted.Name(name)} is {type.Name()}", $"a dtype that holds {wanted}",
        "check that the file belongs to this model", name);

    private ReadOnlySpan<byte> Bytes(TensorEntry entry, long offset, int count)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, entry.ByteLength - count);
        return new ReadOnlySpan<byte>(data + entry.Begin + offset, count);
    }

    private int CheckHeaderLength(ReadOnlySpan<byte> head)
    {
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(head);
        // A zip archive begins as a header of 64 MB would, which a small file does not have; a bare pickle may begin as a true header does.
        if (length > MaxHeaderLength ? OtherFormats.IsPickle(head) : (long)length > Length - 8 && OtherFormats.IsArchive(head))
        {
            throw new SafetensorsException(
                SafetensorsError.HeaderTooLong, Path, "is PyTorch's pickle, which can run programs when it is read and is never read here",
                "a safetensors file", OtherFormats.Conversion);
        }

        if (length > MaxHeaderLength)
        {
            throw new SafetensorsException(
                SafetensorsError.HeaderTooLong, Path, $"claims a header of {length} bytes", $"at most {MaxHeaderLength}",
                head.SequenceEqual("version "u8) && Length < 1024
                    ? "run git lfs pull: the file is only a pointer to the weights"
                    : "check that this is a safetensors file and download it again");
        }

        if ((long)length > Length - 8)
        {
            throw new SafetensorsException(
                SafetensorsError.HeaderTruncated, Path, $"claims a header of {length} bytes, but only {Length - 8} follow",
                "a complete header",
                "download the file again: it is incomplete");
        }

        return (int)length;
    }
}
