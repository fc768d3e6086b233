using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family mmd_gaussian.</summary>
public abstract class MmdGaussianConformance : Conformance
{
    private const ulong NoiseSeed = 9_876_543_210;
    private const uint Step = 5;
    private const int Layer = 3;

    // Scalars are held to the rounding of doubles, but a device may take differences in the format of x: each is off by one
    // rounding of a float, and the exponentials have slopes near d2 / w.
    private static readonly double FloatUlps = 8 * Math.ScaleB(1, 29);

    /// <summary>Pairs, positions, channels.</summary>
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 4, 9, 32 }, { 1, 4, 1 }, { 5, 7, 123 }, { 3, 16, 65 }, { 2, 1, 6 }, { 8, 5, 17 }, { 7, 3, 264 }, { 9, 6, 36 }, { 17, 5, 131 }, { 40, 3, 24 }, { 70, 2, 9 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_with_counter_noise(int pairs, int positions, int columns) =>
        Forward(801, bench => RunForward(bench, MmdLayout.Random(31, pairs, positions), columns, buffered: false));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_with_buffered_noise(int pairs, int positions, int columns) =>
        Forward(802, bench => RunForward(bench, MmdLayout.Random(32, pairs, positions), columns, buffered: true));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_with_counter_noise(int pairs, int positions, int columns) =>
        Backward(803, bench => RunBackward(bench, MmdLayout.Random(33, pairs, positions), columns, buffered: false));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_with_buffered_noise(int pairs, int positions, int columns) =>
        Backward(804, bench => RunBackward(bench, MmdLayout.Random(34, pairs, positions), columns, buffered: true));

    [Fact]
    public void No_entries_have_no_distance() =>
        Backward(805, bench => RunBackward(bench, new MmdLayout([], [], [4, 5]), 8, buffered: false));

    [Fact]
    public void Equal_vectors_have_no_distance_and_no_gradient() => Backward(806, bench =>
    {
        var layout = new MmdLayout([0, 1, 0, 1], [0, 0, 1, 1], [4, 5]);
        var x = bench.Input("x", BufferKind.Compute, 4, 6, new double[24]);
        var noise = NoiseSource.FromBuffer(bench.Input("noise", BufferKind.State, 4, 6, new double[24]));
        RunBoth(bench, layout, x, noise);
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Counter_and_buffer_give_the_same_bits(int pairs, int positions, int columns) => WithDevice(device =>
    {
        var layout = MmdLayout.Random(35, pairs, positions);
        var counter = Results(device, bench => RunBackward(bench, layout, columns, buffered: false));
        var buffered = Results(device, bench => RunBackward(bench, layout, columns, buffered: true));
        foreach (var (found, expected) in counter.Zip(buffered)) Budget.CheckSameBits(found, expected, "counter against buffer");
    });

    private static IReadOnlyList<Outcome> Results(Device device, Action<Workbench> body)
    {
        using var bench = new Workbench(device, Layout.Dense, 807, device.FormatOf(BufferKind.Compute));
        body(bench);
        return bench.Finish();
    }

    private static void RunForward(Workbench bench, MmdLayout layout, int columns, bool buffered)
    {
        var x = bench.Input("x", BufferKind.Compute, layout.Rows, columns, 1.5);
        var noise = Noise(bench, layout, columns, buffered);
        var (mmd, coefficients) = Scalars(bench, layout);
        bench.Device.MmdGaussianForward(mmd, coefficients, x, bench.Own(layout.On(bench.Device)), noise);
    }

    private static void RunBackward(Workbench bench, MmdLayout layout, int columns, bool buffered)
    {
        var x = bench.Input("x", BufferKind.Compute, layout.Rows, columns, 1.5);
        RunBoth(bench, layout, x, Noise(bench, layout, columns, buffered));
    }

    private static void RunBoth(Workbench bench, MmdLayout layout, Tensor x, NoiseSource noise)
    {
        var plan = bench.Own(layout.On(bench.Device));
        var (mmd, coefficients) = Scalars(bench, layout);
        var dX = bench.Written("dX", BufferKind.Compute, x.Rows, x.Columns, ulps: 8);
        bench.Device.MmdGaussianForward(mmd, coefficients, x, plan, noise);
        bench.Device.MmdGaussianBackward(dX, coefficients, x, plan, noise, 0.5);
    }

    /// <summary>The MMD is a difference of means of sums of five kernels, each at most 1.</summary>
    private static (Tensor Mmd, Tensor Coefficients) Scalars(Workbench bench, MmdLayout layout) => (
        bench.Written("mmd", BufferKind.Scalar, 1, 1, magnitude: 5, ulps: FloatUlps),
        bench.Written("coefficients", BufferKind.Scalar, layout.Ids.Length, 2 * layout.Ids.Length, ulps: FloatUlps));

    private static NoiseSource Noise(Workbench bench, MmdLayout layout, int columns, bool buffered) => buffered
        ? NoiseSource.FromBuffer(bench.Input("noise", BufferKind.State, layout.Rows, columns, layout.Noise(columns, NoiseSeed, Step, Layer)))
        : NoiseSource.Counter(NoiseSeed, Step, Layer);
}
