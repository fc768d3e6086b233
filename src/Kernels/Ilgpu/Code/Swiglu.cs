using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>Family swiglu: a thread per element.</summary>
internal static class SwigluCode
{
    public static void Forward(Matrix output, Matrix gate, Matrix up)
    {
        for (int row = Grid.IdxY; row < gate.Rows; row += Grid.DimY)
        {
            for (int column = ElementwiseCode.FirstColumn(); column < gate.Columns; column += ElementwiseCode.ColumnStep())
            {
                float z = gate[row, column];
                output[row, column] = z / (1f + DeviceMath.Exp(-z)) * up[row, column];
            }
        }
    }

    /// <summary>dGate may be gate and dUp may be up: both are read first.</summary>
    public static void Backward(Matrix dGate, Matrix dUp, Matrix dOutput, Matrix gate, Matrix up)
    {
        for (int row = Grid.IdxY; row < gate.Rows; row += Grid.DimY)
        {
            for (int column = ElementwiseCode.FirstColumn(); column < gate.Columns; column += ElementwiseCode.ColumnStep())
            {
                float z = gate[row, column], y = up[row, column], gradient = dOutput[row, column];
                float s = 1f / (1f + DeviceMath.Exp(-z));
                dUp[row, column] = gradient * (z * s);
                dGate[row, column] = gradient * y * s * (1f + z * (1f - s));
            }
        }
    }
}
