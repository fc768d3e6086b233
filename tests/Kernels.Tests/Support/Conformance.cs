using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels.Tests.Support;

/// <summary>
/// What every device must do, family by family: the subclasses of this class hold the cases, a device adds one file of classes
/// that say how it is created. A case is a function that lays out tensors on a <see cref="Workbench"/> and calls operations.
/// It runs on the float64 reference, on the naive reference of the device's own format and, in both layouts, on the device:
/// several times for each number of threads, whose results must all have the same bits.
/// </summary>
public abstract class Conformance
{
    private const int Repeats = 2;

    /// <summary>Numbers of worker threads that must not change a bit.</summary>
    protected virtual IReadOnlyList<int> ThreadCounts => [1, 2, 3, 7];

    /// <summary>The device under test, to be disposed by the caller.</summary>
    protected abstract Device Create(int threads);

    /// <summary>A forward: errors up to twice the naive loops' in the same format.</summary>
    protected void Forward(ulong seed, Action<Workbench> body) => Verify(seed, body, Budget.ForwardFactor);

    /// <summary>A backward: errors up to three times the naive loops' in the same format.</summary>
    protected void Backward(ulong seed, Action<Workbench> body) => Verify(seed, body, Budget.BackwardFactor);

    /// <summary>An operation that does no arithmetic: the bits of the naive loops.</summary>
    protected void Exactly(ulong seed, Action<Workbench> body)
    {
        var naive = RunReference(seed, body, format => format);
        RunDevice(seed, body, (_, found) =>
        {
            foreach (var (outcome, expected) in found.Zip(naive)) Budget.CheckSameBits(outcome, expected, "against the reference");
        });
    }

    /// <summary>Runs a case once on a device of its own.</summary>
    protected void WithDevice(Action<Device> body)
    {
        using var device = Create(2);
        body(device);
    }

    private void Verify(ulong seed, Action<Workbench> body, double factor)
    {
        var exact = RunReference(seed, body, _ => NumberFormat.Float64);
        var naive = RunReference(seed, body, format => format);
        Assert.NotEmpty(exact);
        RunDevice(seed, body, (device, found) =>
        {
            for (int i = 0; i < found.Count; i++) Budget.Check(device, found[i], naive[i], exact[i], factor);
        });
    }

    private IReadOnlyList<Outcome> RunReference(ulong seed, Action<Workbench> body, Func<NumberFormat, NumberFormat> choose)
    {
        using var subject = Create(1);
        var format = subject.FormatOf(BufferKind.Compute);
        using var device = ReferenceDevices.Create(choose(format));
        return Run(device, Layout.Dense, seed, format, body);
    }

    /// <summary>Judges the first run of each layout; all further ones must repeat it.</summary>
    private void RunDevice(ulong seed, Action<Workbench> body, Action<Device, IReadOnlyList<Outcome>> judge)
    {
        var first = new Dictionary<Layout, IReadOnlyList<Outcome>>();
        foreach (int threads in ThreadCounts)
        {
            using var device = Create(threads);
            for (int i = 0; i < Repeats; i++)
            {
                foreach (var layout in Enum.GetValues<Layout>())
                {
                    var found = Run(device, layout, seed, device.FormatOf(BufferKind.Compute), body);
                    if (first.TryAdd(layout, found)) judge(device, found);
                    foreach (var (outcome, before) in found.Zip(first[layout]))
                        Budget.CheckSameBits(outcome, before, $"{device.Name}, {layout}, {threads} threads, run {i + 1}");
                }
            }

            Assert.Equal(device.Memory[MemoryCategory.Scratch], device.AllocatedBytes);
        }
    }

    private static IReadOnlyList<Outcome> Run(Device device, Layout layout, ulong seed, NumberFormat format, Action<Workbench> body)
    {
        using var bench = new Workbench(device, layout, seed, format);
        body(bench);
        return bench.Finish();
    }
}
