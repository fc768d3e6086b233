namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void SwigluForwardCore(Tensor output, Tensor gate, Tensor up)
    {
        var (to, g, u) = (Real(output), Real(gate), Real(up));
        for (int r = 0; r < gate.Rows; r++)
        {
            for (int c = 0; c < gate.Columns; c++) to[r, c] = g[r, c] / (TReal.One + TReal.Exp(-g[r, c])) * u[r, c];
        }
    }

    protected override void SwigluBackwardCore(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up)
    {
        var (toGate, toUp) = (Real(dGate), Real(dUp));
        var (d, g, u) = (Real(dOutput), Real(gate), Real(up));
        for (int r = 0; r < gate.Rows; r++)
        {
            for (int c = 0; c < gate.Columns; c++)
            {
                // dGate may be gate and dUp may be up: both are read first.
                var (z, y, gradient) = (g[r, c], u[r, c], d[r, c]);
                var s = TReal.One / (TReal.One + TReal.Exp(-z));
                toUp[r, c] = gradient * (z * s);
                toGate[r, c] = gradient * y * s * (TReal.One + z * (TReal.One - s));
            }
        }
    }
}
