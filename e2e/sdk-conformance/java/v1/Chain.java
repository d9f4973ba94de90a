import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;

/** The access key that the default chain of the AWS SDK for Java v1 ends up with, as a line of text. */
public final class Chain {
    private Chain() {}

    public static void main(String[] arguments) {
        try {
            System.out.println("key " + DefaultAWSCredentialsProviderChain.getInstance().getCredentials().getAWSAccessKeyId());
        } catch (Throwable error) {
            System.out.println("error " + String.valueOf(error).replaceAll("\\s+", " "));
        }
    }
}
