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
    /// <param name="maxRows">Most rows of any batch.</param>
    /// <param name="maxSegments">Most segments of any batch.</param>
    public DeviceBatch(Device device, int maxRows, int maxSegments)
    {
        this.device = device;
        idCapacity = device.AllocateIndices(maxRows, "batch");
        segments = new AttentionSegment[maxSegments];
        Plan = new AttentionPlan(device, maxSegments, maxRows);
    }

    public AttentionPlan Plan { get; }

    /// <summary>Ids of the batch's rows.</summary>
    public Indices Ids { get; private set; }

    public void Load(ReadOnlySpan<int> ids, ReadOnlySpan<int> positions, ReadOnlySpan<Segment> batch)
    {
        Ids = idCapacity.Range(0, ids.Length);
        device.Upload(ids, Ids);
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

        Plan.Load(segments.AsSpan(0, batch.Length), positions);
    }

    public void Dispose()
    {
        idCapacity.Buffer.Dispose();
        Plan.Dispose();
    }
}
