using RepNoise.Kernels.Cpu;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests.Traffic;

/// <summary>
/// What the model says that an operation moves, beside a count: the kernels themselves run on registers that tell a simulated cache of
/// every load and store. Shapes and caches are chosen so that blocks stay in some and do not in others.
/// </summary>
public sealed unsafe class TracedTrafficTests : IDisposable
{
    private const int Kibi = 1024;

    private readonly Device device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });

    public void Dispose() => device.Dispose();

    [Theory]
    [InlineData(MatmulForm.NT, 128, 128, 128, 512, 0.05)] // all of it stays
    [InlineData(MatmulForm.NT, 400, 144, 700, 512, 0.15)] // B packed once, A in blocks
    [InlineData(MatmulForm.NN, 400, 144, 700, 512, 0.15)]
    [InlineData(MatmulForm.TN, 400, 144, 700, 512, 0.15)]
    [InlineData(MatmulForm.NT, 400, 144, 700, 1024, 0.15)] // packed B stays
    [InlineData(MatmulForm.NT, 48, 600, 384, 256, 0.1)] // A stays, B streams
    [InlineData(MatmulForm.NN, 48, 600, 384, 256, 0.1)]
    [InlineData(MatmulForm.NT, 96, 600, 384, 96, 0.1)] // A does not
    [InlineData(MatmulForm.NT, 3, 500, 600, 256, 0.05)] // dot products
    public void A_product_moves_what_its_blocks_say(MatmulForm form, int m, int n, int k, int kibibytes, double tolerance)
    {
        var a = form == MatmulForm.TN ? Matrix(k, m) : Matrix(m, k);
        var b = form == MatmulForm.NT ? Matrix(n, k) : Matrix(k, n);
        var c = Matrix(m, n);
        Compare(kibibytes, tolerance, context => new Matmul<TracedLanes, MatmulTile<TracedLanes>>(context).Run(c, a, b, form, false, default));
    }

    [Theory]
    [InlineData(200, 64, 700, 200, 2048, true, 0.2)] // one chunk, all of it stays
    [InlineData(200, 64, 2000, 200, 1024, true, 0.15)]
    [InlineData(200, 64, 2000, 200, 384, true, 0.15)] // sums of dX come again for each block
    [InlineData(200, 64, 2000, 200, 160, true, 0.15)] // logits and exponentials do not stay
    [InlineData(200, 64, 2000, 70, 768, true, 0.15)] // three chunks, one packed head
    [InlineData(200, 64, 2000, 200, 768, false, 0.1)]
    [InlineData(60, 640, 700, 60, 1024, true, 0.15)] // two groups of columns
    public void The_lens_loss_moves_what_its_chunks_say(int rows, int columns, int vocabulary, int chunk, int kibibytes, bool gradients, double tolerance)
    {
        var (x, weight, workspace, losses) = (Matrix(rows, columns), Matrix(vocabulary, columns), Matrix(chunk, vocabulary), Matrix(1, rows));
        var (dX, dWeight) = gradients ? (Matrix(rows, columns), Matrix(vocabulary, columns)) : default;
        var targets = device.AllocateIndices(rows, "test");
        device.Upload([.. Enumerable.Range(0, rows).Select(i => i * 7 % vocabulary)], targets);
        Compare(kibibytes, tolerance, context => new LinearCrossEntropy<TracedLanes, MatmulTile<TracedLanes>>(context).Run(
            losses, x, weight, View.Numbers(targets), null, 1, dX, dWeight, workspace));
    }

    [Theory]
    [InlineData(800, 1, 1, 64, 384, 0.15)]
    [InlineData(800, 2, 1, 64, 384, 0.15)] // grouped heads
    [InlineData(800, 1, 1, 64, 96, 0.35)] // a chunk of keys does not stay
    public void Attention_moves_what_its_blocks_say(int length, int heads, int keyHeads, int size, int kibibytes, double tolerance)
    {
        var shape = new AttentionShape(heads, keyHeads, size, null);
        var layout = AttentionLayout.Pair(length / 2, length / 4, length / 4);
        using var plan = new AttentionPlan(device, layout.Segments.Count, length);
        plan.Load([.. layout.Segments], [.. layout.Positions]);
        var (q, k, v, output, lse) = (Matrix(length, heads * size), Matrix(length, keyHeads * size), Matrix(length, keyHeads * size), Matrix(length, heads * size), Matrix(length, heads));
        var (dQ, dK, dV, dOutput) = (Matrix(length, heads * size), Matrix(length, keyHeads * size), Matrix(length, keyHeads * size), Matrix(length, heads * size));
        Compare(kibibytes, tolerance, context => new Attention<TracedLanes>(context).Forward(new AttentionBatch(q, k, v, plan, shape), output, lse));
        Compare(kibibytes, tolerance, context => new Attention<TracedLanes>(context).Backward(new AttentionBatch(q, k, v, plan, shape), dQ, dK, dV, dOutput, output, lse));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(1024)]
    public void Operations_on_rows_move_their_passes(int kibibytes)
    {
        const int Rows = 200, Columns = 256;
        View Rectangle() => Matrix(Rows, Columns);
        View x = Rectangle(), y = Rectangle(), z = Rectangle(), u = Rectangle(), v = Rectangle(), weight = Matrix(1, Columns), rstd = Matrix(Rows, 1);
        Compare(kibibytes, 0.02, context => new Swiglu<TracedLanes>(context).Forward(x, y, z));
        Compare(kibibytes, 0.02, context => new Swiglu<TracedLanes>(context).Backward(x, y, z, x, y));
        Compare(kibibytes, 0.02, context => new Swiglu<TracedLanes>(context).Backward(x, y, z, u, v));
        Compare(kibibytes, 0.02, context => new Norm<TracedLanes>(context).Forward(x, rstd, y, weight, 1e-6));
        Compare(kibibytes, 0.02, context => new Norm<TracedLanes>(context).AddForward(x, y, rstd, z, u, weight, 1e-6));
        Compare(kibibytes, 0.02, context => new Norm<TracedLanes>(context).AddForward(x, y, rstd, y, x, weight, 1e-6));
        Compare(kibibytes, 0.02, context => new Norm<TracedLanes>(context).Backward(x, weight, y, z, Matrix(1, Columns), rstd, false));
        Compare(kibibytes, 0.02, context => new Norm<TracedLanes>(context).Backward(x, weight, x, z, Matrix(1, Columns), rstd, true));
        Compare(kibibytes, 0.02, context => new Norm<TracedLanes>(context).AddColumnSums(weight, x));
        Compare(kibibytes, 0.02, context => new AdamW<TracedLanes>(context).Run(x, default, y, z, u, new AdamWStep(1e-3, 0.9, 0.99, 1e-8, 0, true, 1), 1));
        Compare(kibibytes, 0.02, context => new Elementwise<TracedLanes>(context).AddScaled(x, y, 2));
        Compare(kibibytes, 0.02, context => new Elementwise<TracedLanes>(context).Sum(x, squared: true));
    }

    private View Matrix(int rows, int columns) => View.Of(device.AllocateTensor(BufferKind.Compute, rows, columns, "test"));

    private static void Compare(int kibibytes, double tolerance, Action<CpuContext> run)
    {
        var cache = new CacheSimulator((long)kibibytes * Kibi);
        var observer = new TrafficObserver();
        using var context = new CpuContext(1, _ => { }) { CacheBytes = (long)kibibytes * Kibi, TrafficObserver = observer };
        CacheSimulator.Current = cache;
        try
        {
            run(context);
        }
        finally
        {
            CacheSimulator.Current = null;
        }

        Assert.InRange(observer.Bytes / cache.Bytes, 1 - tolerance, 1 + tolerance);
    }
}
