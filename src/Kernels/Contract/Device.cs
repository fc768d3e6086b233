using System.Collections.ObjectModel;

namespace RepNoise.Kernels;

/// <summary>
/// A place that runs the engine's operations: the contract that every backend implements and none widens.
/// <para>Each public operation checks its arguments once, here, and calls the backend's <c>...Core</c>; the files
/// Device.&lt;family&gt;.cs hold one family each, forward beside backward.</para>
/// <para>Conventions. Dimensions: N token rows, B pairs, T tokens of a sequence, C hidden, NH heads, NKV key/value heads,
/// HS head size, F feed-forward, V vocabulary, R selected rows. A gradient is <c>d</c> plus the value's name. Parameter
/// gradients accumulate (<c>+=</c>), activation gradients are written (<c>=</c>), the residual stream accumulates. Unless an
/// operation says otherwise its outputs must not overlap its inputs. NaN and Inf pass through as IEEE arithmetic has it.</para>
/// <para>Determinism: the same inputs give the same bits on the same device, on every run and for any number of threads.</para>
/// <para>Operations may be asynchronous: results are visible to later operations of the same device, and to the host after
/// <see cref="Synchronize"/> or a download. A device serves one caller at a time.</para>
/// </summary>
public abstract partial class Device : IDisposable
{
    /// <summary>The name that asks for this device: <c>cpu</c>, <c>reference:float64</c>.</summary>
    public abstract string Name { get; }

    /// <summary>One line for people: processor, vector width, threads, number format.</summary>
    public abstract string Description { get; }

    /// <summary>The variant that each kernel family runs in, for the log; empty for a device without variants.</summary>
    public virtual IReadOnlyDictionary<string, string> Kernels => ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Bytes that this device's allocators have handed out, by category: buffers, rounded as it rounds them, and scratch.</summary>
    public MemoryLedger Memory { get; } = new();

    /// <summary>Bytes handed out now.</summary>
    public long AllocatedBytes => Memory.Total;

    /// <summary>Largest value <see cref="AllocatedBytes"/> has had.</summary>
    public long PeakAllocatedBytes => Memory.Peak;

    /// <summary>Number format of buffers of one kind.</summary>
    public abstract NumberFormat FormatOf(BufferKind kind);

    /// <summary>
    /// Kind of the buffers of master weights, gradients and moments: state, or compute on a device that was asked to keep them in
    /// its compute format (<see cref="DeviceOptions.StateFormat"/>).
    /// </summary>
    public virtual BufferKind ParameterKind => BufferKind.State;

    /// <summary>True where compute buffers and those of master weights have one format, so that a weight and its master can be one.</summary>
    public bool SharesMasterWeights => FormatOf(BufferKind.Compute) == FormatOf(ParameterKind);

    /// <summary>
    /// Rows of a product from which on a row's result has the same bits whatever rows are computed beside it; 0 where the device
    /// does not promise that of any number. Who needs results that do not depend on the batch pads it up to here.
    /// </summary>
    public virtual int BatchInvariantRows => 0;

    /// <summary>
    /// A device that hands out no memory and computes nothing, and counts what this one would hand out; the caller disposes it
    /// before this one. A backend that keeps scratch of its own overrides it with a planning device that counts that too.
    /// </summary>
    public virtual PlanningDevice CreatePlanningDevice() => new(this);

    /// <summary>Zeroed memory for <paramref name="length"/> elements.</summary>
    /// <exception cref="DeviceException">The device has not that much memory.</exception>
    public DeviceBuffer Allocate(BufferKind kind, long length, string category)
    {
        Check.That(length >= 0, nameof(Allocate), $"length is {length}", "zero or more");
        var buffer = AllocateCore(kind, length, category);
        Memory.Add(category, AllocationSize(buffer.Bytes));
        return buffer;
    }

    /// <summary>A zeroed dense matrix in a buffer of its own.</summary>
    public Tensor AllocateTensor(BufferKind kind, int rows, int columns, string category) =>
        Tensor.Of(Allocate(kind, (long)rows * columns, category), rows, columns);

    /// <summary>Memory for <paramref name="count"/> indices in a buffer of its own.</summary>
    public Indices AllocateIndices(int count, string category) => Indices.Of(Allocate(BufferKind.Index, count, category), count);

    /// <summary>Copies host values, row by row without gaps, into a tensor, rounding to the buffer's format.</summary>
    public void Upload(ReadOnlySpan<float> source, Tensor target)
    {
        Check.That(source.Length == target.Length, nameof(Upload), $"{source.Length} values for {target}", $"{target.Length} values");
        using var observed = listener is null ? default : Observe(nameof(Upload), new OpCost(0, (double)source.Length * Size(target)));
        UploadCore(source, target);
    }

    /// <inheritdoc cref="Upload(ReadOnlySpan{float}, Tensor)"/>
    public void Upload(ReadOnlySpan<double> source, Tensor target)
    {
        Check.That(source.Length == target.Length, nameof(Upload), $"{source.Length} values for {target}", $"{target.Length} values");
        using var observed = listener is null ? default : Observe(nameof(Upload), new OpCost(0, (double)source.Length * Size(target)));
        UploadCore(source, target);
    }

    /// <summary>Copies host indices into device memory.</summary>
    public void Upload(ReadOnlySpan<int> source, Indices target)
    {
        Check.That(source.Length == target.Count, nameof(Upload), $"{source.Length} indices for {target.Count}", $"{target.Count}");
        using var observed = listener is null ? default : Observe(nameof(Upload), new OpCost(0, (double)source.Length * sizeof(int)));
        UploadCore(source, target);
    }

    /// <summary>Copies a tensor to the host, row by row without gaps, once all earlier operations are done.</summary>
    public void Download(Tensor source, Span<float> target)
    {
        Check.That(target.Length == source.Length, nameof(Download), $"room for {target.Length} of {source}", $"{source.Length}");
        using var observed = listener is null ? default : Observe(nameof(Download), new OpCost(0, (double)source.Length * Size(source)));
        DownloadCore(source, target);
    }

    /// <inheritdoc cref="Download(Tensor, Span{float})"/>
    public void Download(Tensor source, Span<double> target)
    {
        Check.That(target.Length == source.Length, nameof(Download), $"room for {target.Length} of {source}", $"{source.Length}");
        using var observed = listener is null ? default : Observe(nameof(Download), new OpCost(0, (double)source.Length * Size(source)));
        DownloadCore(source, target);
    }

    /// <summary>Waits until every operation given so far is done.</summary>
    public virtual void Synchronize()
    {
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected abstract DeviceBuffer AllocateCore(BufferKind kind, long length, string category);

    protected abstract void UploadCore(ReadOnlySpan<float> source, Tensor target);

    protected abstract void UploadCore(ReadOnlySpan<double> source, Tensor target);

    protected abstract void UploadCore(ReadOnlySpan<int> source, Indices target);

    protected abstract void DownloadCore(Tensor source, Span<float> target);

    protected abstract void DownloadCore(Tensor source, Span<double> target);

    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Bytes that the allocator takes for a buffer of <paramref name="bytes"/>: its rounding, which the memory plan counts too.</summary>
    protected internal virtual long AllocationSize(long bytes) => bytes;

    /// <summary>A backend's buffer calls this once when its memory is given back.</summary>
    protected internal void NoteReleased(DeviceBuffer buffer) => Memory.Add(buffer.Category, -AllocationSize(buffer.Bytes));

    /// <summary>A backend calls this when scratch of its own, outside any buffer, has grown, or shrunk where negative.</summary>
    protected internal void NoteScratch(long bytes) => Memory.Add(MemoryCategory.Scratch, bytes);
}
