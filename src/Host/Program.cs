using System.Globalization;

namespace RepNoise.Host;

internal static class Program
{
    private static int Main()
    {
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        return 2;
    }
}
