using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family norm.</summary>
public abstract class NormConformance : Conformance
{
    private const double Epsilon = 1e-5;

    /// <summary>Rows, groups, columns of a group.</summary>
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 7, 1, 64 }, { 1, 1, 1 }, { 5, 1, 123 }, { 123, 1, 5 }, { 9, 4, 16 }, { 6, 5, 80 }, { 65, 1, 256 }, { 0, 1, 8 }, { 130, 2, 10 },
        { 2, 1, 1032 }, { 3, 1, 4104 }, { 2, 1, 8200 }, // more than a warp, a block, or any block of a GPU keeps in registers
    };

    /// <summary>Widths on both sides of a register, of a pack, and of what a warp or a block of a GPU keeps in registers.</summary>
    public static TheoryData<int, int, int> AddShapes => new()
    {
        { 7, 1, 64 }, { 1, 1, 1 }, { 5, 1, 123 }, { 123, 1, 5 }, { 9, 4, 16 }, { 6, 5, 80 }, { 0, 1, 8 }, { 130, 2, 10 },
        { 3, 1, 31 }, { 3, 1, 33 }, { 2, 1, 1032 }, { 2, 1, 1023 }, { 3, 1, 4104 }, { 2, 1, 4111 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_normalises_each_group(int rows, int groups, int columns) => Forward(201, bench =>
    {
        var x = bench.Input("x", BufferKind.Compute, rows, groups * columns);
        var weight = bench.Input("weight", BufferKind.Compute, 1, columns);
        var output = bench.Written("output", BufferKind.Compute, rows, groups * columns);
        var rstd = bench.Written("rstd", BufferKind.State, rows, groups);
        bench.Device.RmsNormForward(output, rstd, x, weight, Epsilon);
    });

    [Theory]
    [InlineData(5, 1, 123)]
    [InlineData(33, 3, 32)]
    public void Forward_may_overwrite_its_input(int rows, int groups, int columns) => Forward(202, bench =>
    {
        var x = bench.Updated("x", BufferKind.Compute, rows, groups * columns);
        var weight = bench.Input("weight", BufferKind.Compute, 1, columns);
        var rstd = bench.Written("rstd", BufferKind.State, rows, groups);
        bench.Device.RmsNormForward(x, rstd, x, weight, Epsilon);
    });

    [Theory]
    [MemberData(nameof(AddShapes))]
    public void Add_forward_normalises_the_sum(int rows, int groups, int columns) => Forward(209, bench =>
    {
        var (x, addend) = (bench.Input("x", BufferKind.Compute, rows, groups * columns), bench.Input("addend", BufferKind.Compute, rows, groups * columns));
        var weight = bench.Input("weight", BufferKind.Compute, 1, columns);
        var output = bench.Written("output", BufferKind.Compute, rows, groups * columns);
        var sum = bench.Written("sum", BufferKind.Compute, rows, groups * columns);
        bench.Device.AddRmsNormForward(output, sum, bench.Written("rstd", BufferKind.State, rows, groups), x, addend, weight, Epsilon);
    });

    /// <summary>Output and sum over x and addend, either way round, and one of them over neither.</summary>
    [Theory]
    [InlineData(5, 1, 123, "x", "addend")]
    [InlineData(33, 3, 32, "addend", "x")]
    [InlineData(5, 1, 123, "x", null)]
    [InlineData(33, 3, 32, "addend", null)]
    [InlineData(33, 3, 32, null, "x")]
    [InlineData(5, 1, 123, null, "addend")]
    public void Add_forward_may_overwrite_what_it_adds(int rows, int groups, int columns, string? overOutput, string? overSum) => Forward(210, bench =>
    {
        int width = groups * columns;
        Tensor Operand(string name) => name == overOutput || name == overSum
            ? bench.Updated(name, BufferKind.Compute, rows, width)
            : bench.Input(name, BufferKind.Compute, rows, width);
        Tensor x = Operand("x"), addend = Operand("addend"), weight = bench.Input("weight", BufferKind.Compute, 1, columns);
        Tensor Result(string name, string? over) => over switch
        {
            "x" => x,
            "addend" => addend,
            _ => bench.Written(name, BufferKind.Compute, rows, width),
        };
        Tensor output = Result("output", overOutput), sum = Result("sum", overSum);
        bench.Device.AddRmsNormForward(output, sum, bench.Written("rstd", BufferKind.State, rows, groups), x, addend, weight, Epsilon);
    });

    /// <summary>Recomputed layers read a stored sum with the plain norm: not a bit may differ.</summary>
    [Theory]
    [MemberData(nameof(AddShapes))]
    public void Add_forward_has_the_bits_of_an_addition_and_a_norm(int rows, int groups, int columns) => WithDevice(device =>
    {
        using var bench = new Workbench(device, Layout.Dense, 211, device.FormatOf(BufferKind.Compute));
        Tensor Compute(string name) => bench.Input(name, BufferKind.Compute, rows, groups * columns);
        Tensor State(string name) => bench.Input(name, BufferKind.State, rows, groups);
        Tensor x = Compute("x"), addend = Compute("addend"), weight = bench.Input("weight", BufferKind.Compute, 1, columns);
        Tensor output = Compute("output"), sum = Compute("sum"), rstd = State("rstd"), plain = Compute("plain"), plainRstd = State("plainRstd");
        device.AddRmsNormForward(output, sum, rstd, x, addend, weight, Epsilon);
        device.AddScaled(x, addend);
        device.RmsNormForward(plain, plainRstd, x, weight, Epsilon);
        Assert.Equal(Values(x), Values(sum));
        Assert.Equal(Values(plainRstd), Values(rstd));
        Assert.Equal(Values(plain), Values(output));

        double[] Values(Tensor tensor)
        {
            var values = new double[tensor.Length];
            if (values.Length > 0) device.Download(tensor, values);
            return values;
        }
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_writes_dX(int rows, int groups, int columns) => BackwardCase(203, rows, groups, columns, accumulate: false);

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_adds_to_dX(int rows, int groups, int columns) => BackwardCase(204, rows, groups, columns, accumulate: true);

    [Theory]
    [InlineData(5, 1, 123, false)]
    [InlineData(33, 3, 32, true)]
    public void Backward_may_overwrite_dOutput(int rows, int groups, int columns, bool accumulate) => Backward(205, bench =>
    {
        var (x, weight, rstd) = Saved(bench, rows, groups, columns);
        var dOutput = bench.Updated("dOutput", BufferKind.Compute, rows, groups * columns, magnitude: 1);
        var dWeight = bench.Updated("dWeight", BufferKind.State, 1, columns, magnitude: Math.Sqrt(rows * groups));
        bench.Device.RmsNormBackward(dOutput, dWeight, dOutput, x, weight, rstd, accumulate);
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Gradient_of_the_weight_in_the_compute_format(int rows, int groups, int columns) =>
        BackwardCase(208, rows, groups, columns, accumulate: false, BufferKind.Compute);

    [Fact]
    public void Not_a_number_stays_in_its_group() => Forward(206, bench =>
    {
        var values = bench.Gaussians(6 * 48);
        (values[0], values[100], values[150], values[287]) = (double.NaN, double.PositiveInfinity, double.NegativeInfinity, double.NaN);
        var x = bench.Input("x", BufferKind.Compute, 6, 48, values);
        var weight = bench.Input("weight", BufferKind.Compute, 1, 16);
        var output = bench.Written("output", BufferKind.Compute, 6, 48);
        var rstd = bench.Written("rstd", BufferKind.State, 6, 3);
        bench.Device.RmsNormForward(output, rstd, x, weight, Epsilon);
    });

    [Theory]
    [InlineData(1e-4)]
    [InlineData(1e4)]
    public void Forward_holds_for_small_and_large_rows(double scale) => Forward(207, bench =>
    {
        var x = bench.Input("x", BufferKind.Compute, 5, 123, scale);
        var weight = bench.Input("weight", BufferKind.Compute, 1, 123);
        var output = bench.Written("output", BufferKind.Compute, 5, 123);
        var rstd = bench.Written("rstd", BufferKind.State, 5, 1);
        bench.Device.RmsNormForward(output, rstd, x, weight, Epsilon);
    });

    private void BackwardCase(
        ulong seed, int rows, int groups, int columns, bool accumulate, BufferKind kind = BufferKind.State) => Backward(seed, bench =>
    {
        var (x, weight, rstd) = Saved(bench, rows, groups, columns);
        var dOutput = bench.Input("dOutput", BufferKind.Compute, rows, groups * columns);
        // g - x m cancels, for one column all but wholly; the terms are near 1.
        var dX = accumulate
            ? bench.Updated("dX", BufferKind.Compute, rows, groups * columns, magnitude: 2)
            : bench.Written("dX", BufferKind.Compute, rows, groups * columns, magnitude: 2);
        var dWeight = bench.Updated("dWeight", kind, 1, columns, magnitude: Math.Sqrt(rows * groups));
        bench.Device.RmsNormBackward(dX, dWeight, dOutput, x, weight, rstd, accumulate);
    });

    /// <summary>A forward's input, weight and reciprocal root mean squares.</summary>
    private static (Tensor X, Tensor Weight, Tensor Rstd) Saved(Workbench bench, int rows, int groups, int columns)
    {
        var values = bench.Gaussians(rows * groups * columns);
        var x = bench.Input("x", BufferKind.Compute, rows, groups * columns, values);
        var weight = bench.Input("weight", BufferKind.Compute, 1, columns);
        var rstd = values.Chunk(columns).Select(group => 1 / Math.Sqrt(group.Sum(v => v * v) / columns + Epsilon));
        return (x, weight, bench.Input("rstd", BufferKind.State, rows, groups, [.. rstd]));
    }
}
