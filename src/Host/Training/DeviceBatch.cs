using RepNoise.Host.Data;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>A packed batch's ids, segments and positions on the device; storage planned once, refilled for each batch.</summary>
public sealed class DeviceBatch : IDisposable
{
    private readonly Device device;
    private readonly Indices idCapacity;
    private readonly AttentionSegment[] segments;

    /// <param name="device">Where the batch goes.</param>
    /// <param name="capacity">Largest sizes of any batch.</param>
    public DeviceBatch(Device device, PackedBatchCapacity capacity)
    {
        this.device = device;
        idCapacity = device.AllocateIndices(capacity.Rows, MemoryCategory.Batch);
        segments = new AttentionSegment[capacity.Segments];
        Plan = new AttentionPlan(device, capacity.Segments, capacity.Rows);
    }

    public AttentionPlan Plan { get; }

    /// <summary>Ids of the batch's rows.</summary>
    public Indices Ids { get; private set; }

    public void Load(PackedBatch packed)
    {
        Ids = idCapacity.Range(0, packed.RowCount);
        device.Upload(packed.Ids.AsSpan(0, packed.RowCount), Ids);
        var batch = packed.Segments.AsSpan(0, packed.SegmentCount);
        for (int i = 0; i < batch.Length; i++)
        {
            segments[i] = new AttentionSegment
            {
                QueryRow = batch[i].QueryRow,
                QueryCount = batch[i].QueryCount,
                KeyRow = batch[i].KeyRow,
                KeyCount = batch[i].KeyCount,
                ContextRow = batch[i].ContextRow,
                ContextCount = batch[i].ContextCount,
                FirstPosition = batch[i].FirstPosition,
            };
        }

        Plan.Load(segments.AsSpan(0, batch.Length), packed.Positions.AsSpan(0, packed.RowCount));
    }

    public void Dispose()
    {
        idCapacity.Buffer.Dispose();
        Plan.Dispose();
    }
}
