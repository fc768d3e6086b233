using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Backwards of embedding, norm, matmul, rotary and swiglu against central differences.</summary>
public sealed class LayerGradientTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(3, 4)]
    [InlineData(1, 1)]
    public void Norm(int groups, int columns) => CentralDifferences.Check(
        [(4, groups * columns), (1, columns)],
        (lab, inputs) =>
        {
            var output = lab.Like(inputs[0]);
            lab.Device.RmsNormForward(output, lab.New(4, groups), inputs[0], inputs[1], 0.1);
            return output;
        },
        (lab, inputs, dOutput) =>
        {
            var (rstd, dX, dWeight) = (lab.New(4, groups), lab.Like(inputs[0]), lab.Like(inputs[1]));
            lab.Device.RmsNormForward(lab.Like(inputs[0]), rstd, inputs[0], inputs[1], 0.1);
            lab.Device.RmsNormBackward(dX, dWeight, dOutput, inputs[0], inputs[1], rstd, accumulate: false);
            return [dX, dWeight];
        });

    [Fact]
    public void Norm_adds_to_the_residual_stream() => CentralDifferences.Check(
        [(3, 6), (1, 6)],
        (lab, inputs) =>
        {
            // y = x + norm(x), so dX starts from dOutput.
            var output = lab.Like(inputs[0]);
            lab.Device.RmsNormForward(output, lab.New(3, 1), inputs[0], inputs[1], 1e-5);
            lab.Device.AddScaled(output, inputs[0]);
            return output;
        },
        (lab, inputs, dOutput) =>
        {
            var (rstd, dX, dWeight) = (lab.New(3, 1), lab.Like(inputs[0]), lab.Like(inputs[1]));
            lab.Device.Copy(dX, dOutput);
            lab.Device.RmsNormForward(lab.Like(inputs[0]), rstd, inputs[0], inputs[1], 1e-5);
            lab.Device.RmsNormBackward(dX, dWeight, dOutput, inputs[0], inputs[1], rstd, accumulate: true);
            return [dX, dWeight];
        });

    /// <summary>As a layer uses it: the sum goes on beside its norm, so its gradient is that of both, for x and addend alike.</summary>
    [Theory]
    [InlineData(1, 6)]
    [InlineData(2, 3)]
    public void Norm_of_a_sum(int groups, int columns) => CentralDifferences.Check(
        [(3, groups * columns), (3, groups * columns), (1, columns)],
        (lab, inputs) =>
        {
            var (output, sum) = (lab.Like(inputs[0]), lab.Like(inputs[0]));
            lab.Device.AddRmsNormForward(output, sum, lab.New(3, groups), inputs[0], inputs[1], inputs[2], 1e-5);
            lab.Device.AddScaled(output, sum);
            return output;
        },
        (lab, inputs, dOutput) =>
        {
            var (sum, rstd, dSum, dWeight) = (lab.Like(inputs[0]), lab.New(3, groups), lab.Like(inputs[0]), lab.Like(inputs[2]));
            lab.Device.AddRmsNormForward(lab.Like(inputs[0]), sum, rstd, inputs[0], inputs[1], inputs[2], 1e-5);
            lab.Device.Copy(dSum, dOutput);
            lab.Device.RmsNormBackward(dSum, dWeight, dOutput, sum, inputs[2], rstd, accumulate: true);
            return [dSum, dSum, dWeight];
        });

    /// <summary>Each form's backward is made of the two other uses of the same operation.</summary>
    [Theory]
    [InlineData(MatmulForm.NN)]
    [InlineData(MatmulForm.NT)]
    [InlineData(MatmulForm.TN)]
    public void Matmul(MatmulForm form)
    {
        const int M = 3, N = 4, K = 5;
        CentralDifferences.Check(
            [form == MatmulForm.TN ? (K, M) : (M, K), form == MatmulForm.NT ? (N, K) : (K, N), (1, N)],
            (lab, inputs) =>
            {
                var output = lab.New(M, N);
                lab.Device.Matmul(output, inputs[0], inputs[1], form, bias: inputs[2]);
                return output;
            },
            (lab, inputs, dOutput) =>
            {
                var (a, b) = (inputs[0], inputs[1]);
                var (dA, dB, dBias) = (lab.Like(a), lab.Like(b), lab.Like(inputs[2]));
                MatmulBackward(lab.Device, form, dA, dB, a, b, dOutput);
                lab.Device.BiasBackward(dBias, dOutput);
                return [dA, dB, dBias];
            });
    }

    [Fact]
    public void Rotary()
    {
        var (cos, sin) = RotaryTables.Build(RotaryTables.Frequencies(6, 100), 9);
        void Turn(Lab lab, Tensor x, bool inverse) =>
            lab.Device.Rotary(x, lab.Put(9, 3, cos), lab.Put(9, 3, sin), lab.Numbers(0, 8, 3, 1), inverse);

        CentralDifferences.Check(
            [(4, 12)],
            (lab, inputs) =>
            {
                Turn(lab, inputs[0], inverse: false);
                return inputs[0];
            },
            (lab, _, dOutput) =>
            {
                Turn(lab, dOutput, inverse: true);
                return [dOutput];
            });
    }

    [Fact]
    public void Swiglu() => CentralDifferences.Check(
        [(3, 7), (3, 7)],
        (lab, inputs) =>
        {
            var output = lab.Like(inputs[0]);
            lab.Device.SwigluForward(output, inputs[0], inputs[1]);
            return output;
        },
        (lab, inputs, dOutput) =>
        {
            var (dGate, dUp) = (lab.Like(inputs[0]), lab.Like(inputs[1]));
            lab.Device.SwigluBackward(dGate, dUp, dOutput, inputs[0], inputs[1]);
            return [dGate, dUp];
        });

    [Fact]
    public void Gather_and_scatter() => CentralDifferences.Check(
        [(4, 3)],
        (lab, inputs) =>
        {
            var output = lab.New(6, 3);
            lab.Device.GatherRows(output, inputs[0], lab.Numbers(2, 0, 2, 3, 2, 0));
            return output;
        },
        (lab, inputs, dOutput) =>
        {
            var dTable = lab.Like(inputs[0]);
            var half = lab.Put(BufferKind.Scalar, 1, 1, [0.5]);
            lab.Device.ScatterAddRows(dTable, dOutput, lab.Numbers(2, 0, 2, 3, 2, 0), 2, half);
            return [dTable];
        });

    private static void MatmulBackward(Device device, MatmulForm form, Tensor dA, Tensor dB, Tensor a, Tensor b, Tensor dC)
    {
        switch (form)
        {
            case MatmulForm.NN:
                device.Matmul(dA, dC, b, MatmulForm.NT);
                device.Matmul(dB, a, dC, MatmulForm.TN, accumulate: true);
                break;
            case MatmulForm.NT:
                device.Matmul(dA, dC, b, MatmulForm.NN);
                device.Matmul(dB, dC, a, MatmulForm.TN, accumulate: true);
                break;
            default:
                device.Matmul(dA, b, dC, MatmulForm.NT);
                device.Matmul(dB, a, dC, MatmulForm.NN, accumulate: true);
                break;
        }
    }
}
